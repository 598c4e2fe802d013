import type { Metadata, Viewport } from "next";
import { headers } from "next/headers";
import type { ReactNode } from "react";
import { Providers } from "#components/shell/providers.tsx";
import { readPreferences } from "#lib/data/preferences.ts";
import "./globals.css";

export const metadata: Metadata = {
  title: { default: "Gatehouse", template: "%s · Gatehouse" },
  description: "Who may come through the door, and what runs behind it.",
  robots: { index: false, follow: false },
  formatDetection: { telephone: false, email: false, address: false },
};

export const viewport: Viewport = {
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#fafaf9" },
    { media: "(prefers-color-scheme: dark)", color: "#111110" },
  ],
};

/** Reading the headers makes every page dynamic, so that each carries the nonce of its own content security policy. */
export default async function RootLayout({ children }: { children: ReactNode }) {
  const nonce = (await headers()).get("x-nonce") ?? undefined;
  const { theme, rail, density, timeZone } = await readPreferences();
  return (
    <html lang="en" data-theme={theme} data-rail={rail} data-density={density} suppressHydrationWarning>
      <body>
        <Providers nonce={nonce} renderedAt={Date.now()} timeZone={timeZone}>
          {children}
        </Providers>
      </body>
    </html>
  );
}
