"use client";

import { CircleAlert, RotateCw } from "lucide-react";
import { ApiProblem } from "#lib/client/problem.ts";
import { Button } from "./button.tsx";
import { Callout } from "./callout.tsx";

/** One thing could not be read: says which, why, and offers to try again. The rest of the page works on. */
export function ErrorPanel({ what, error, retry }: { what: string; error: unknown; retry?: () => void }) {
  const problem = error instanceof ApiProblem ? error : null;
  return (
    <Callout
      tone="bad"
      icon={CircleAlert}
      role="alert"
      title={`${what}: ${lowerFirst(problem?.title ?? "this page stumbled")}`}
      action={
        retry === undefined ? undefined : (
          <Button size="sm" onClick={retry}>
            <RotateCw aria-hidden />
            Try again
          </Button>
        )
      }
    >
      <p>{problem?.message ?? "An error in the page itself. Reloading helps in most cases."}</p>
      {problem?.requestId == null ? null : <p className="mono mt-1 text-ink-3">request {problem.requestId}</p>}
    </Callout>
  );
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
