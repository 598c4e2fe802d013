"use client";

import { CircleAlert, RotateCw } from "lucide-react";
import { Button } from "#components/ui/button.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";

export default function PageError({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <div className="pt-[8vh]">
      <h1 className="sr-only">This page did not work</h1>
      <EmptyState
        icon={CircleAlert}
        title="This page did not work"
        actions={
          <Button onClick={reset}>
            <RotateCw aria-hidden />
            Try again
          </Button>
        }
      >
        The rest of the console goes on. The console's log has the cause
        {error.digest === undefined ? "." : ` under ${error.digest}.`}
      </EmptyState>
    </div>
  );
}
