"use client";

import "./globals.css";

/** Stands in for the root layout when that itself fails, so it leans on nothing. */
export default function GlobalError({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <html lang="en">
      <head>
        <title>Gatehouse</title>
      </head>
      <body>
        <main className="mx-auto max-w-md px-6 pt-[16vh] text-center">
          <h1>The console did not work</h1>
          <p className="mt-1 text-ink-2">
            Its log has the cause{error.digest === undefined ? "." : ` under ${error.digest}.`} Devices are not affected
            by this page.
          </p>
          <button type="button" onClick={reset} className="link mt-4 font-medium">
            Try again
          </button>
        </main>
      </body>
    </html>
  );
}
