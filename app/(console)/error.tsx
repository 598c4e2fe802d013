"use client";

import { PageFailed } from "#components/ui/page-failed.tsx";

export default function PageError({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <div className="pt-[8vh]">
      <PageFailed digest={error.digest} retry={reset} />
    </div>
  );
}
