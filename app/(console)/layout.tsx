import { HydrationBoundary } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { UploadTray } from "#components/images/upload-tray.tsx";
import { LiveProvider } from "#components/shell/live-provider.tsx";
import { MeProvider } from "#components/shell/me.tsx";
import { Rail } from "#components/shell/rail.tsx";
import { SignInAgain } from "#components/shell/sign-in-again.tsx";
import { TopBar } from "#components/shell/top-bar.tsx";
import { readMe } from "#lib/data/session.ts";
import { prefetchShell } from "#lib/data/shell.ts";
import { VERSION } from "#lib/version.ts";

export default async function ConsoleLayout({ children }: { children: ReactNode }) {
  const [me, state] = await Promise.all([readMe(), prefetchShell()]);
  return (
    <MeProvider me={me}>
      <LiveProvider>
        <HydrationBoundary state={state}>
          <a
            href="#content"
            className="sr-only rounded-md bg-primary px-3 py-1.5 text-primary-ink focus:not-sr-only focus:absolute focus:top-2 focus:left-2 focus:z-50"
          >
            Skip to the content
          </a>
          <div className="flex min-h-dvh">
            <Rail version={VERSION} />
            <div className="flex min-w-0 flex-1 flex-col">
              <TopBar />
              <main id="content" tabIndex={-1} className="flex-1 px-6 pt-5 pb-16 outline-none max-sm:px-4 max-sm:pt-4">
                {children}
              </main>
            </div>
          </div>
          <UploadTray />
          <SignInAgain />
        </HydrationBoundary>
      </LiveProvider>
    </MeProvider>
  );
}
