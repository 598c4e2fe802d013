import { CircleAlert, RotateCw } from "lucide-react";
import { Button } from "./button.tsx";
import { EmptyState } from "./empty-state.tsx";

/** What an error page says; the page brings its own landmark. */
export function PageFailed({ digest, retry }: { digest: string | undefined; retry: () => void }) {
  return (
    <>
      <h1 className="sr-only">This page did not work</h1>
      <EmptyState
        icon={CircleAlert}
        title="This page did not work"
        actions={
          <Button onClick={retry}>
            <RotateCw aria-hidden />
            Try again
          </Button>
        }
      >
        The rest of the console goes on. The console's log has the cause
        {digest === undefined ? "." : ` under ${digest}.`}
      </EmptyState>
    </>
  );
}
