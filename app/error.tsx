"use client";

import { PageFailed } from "#components/ui/page-failed.tsx";

export default function PageError({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <main className="pt-[12vh]">
      <PageFailed digest={error.digest} retry={reset} />
    </main>
  );
}
