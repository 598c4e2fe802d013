"use client";

import { CSPProvider } from "@base-ui/react/csp-provider";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { NuqsAdapter } from "nuqs/adapters/next/app";
import { type ReactNode, useEffect, useState } from "react";
import { ClockProvider } from "#components/ui/clock.tsx";
import { TipHost } from "#components/ui/tip-host.tsx";
import { ToastHost } from "#components/ui/toast.tsx";
import { TIME_ZONE_COOKIE, writeCookie } from "#lib/client/preferences.ts";
import { ApiProblem } from "#lib/client/problem.ts";

type ProvidersProps = { nonce: string | undefined; renderedAt: number; timeZone: string; children: ReactNode };

/** What every page needs in the browser. */
export function Providers({ nonce, renderedAt, timeZone, children }: ProvidersProps) {
  const [queryClient] = useState(createQueryClient);
  useEffect(() => {
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (own !== timeZone) writeCookie(TIME_ZONE_COOKIE, own);
  }, [timeZone]);
  return (
    <CSPProvider {...(nonce !== undefined && { nonce })}>
      <QueryClientProvider client={queryClient}>
        <NuqsAdapter>
          <ClockProvider at={renderedAt} timeZone={timeZone}>
            {children}
            <ToastHost />
            <TipHost />
          </ClockProvider>
        </NuqsAdapter>
      </QueryClientProvider>
    </CSPProvider>
  );
}

/** Events say when something is out of date, so time alone does not; what a retry can't mend is not retried. */
function createQueryClient() {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 30_000,
        retry: (failures, error) =>
          failures < 1 && error instanceof ApiProblem && (error.status === 0 || error.status >= 502),
      },
    },
  });
}
