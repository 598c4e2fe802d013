import { toast } from "#components/ui/toast.tsx";
import { plural } from "#lib/client/format.ts";
import type { Batch } from "#lib/client/mutations.ts";

/** Says how a decision about several ended. @returns whether all of it was done */
export function tellOutcome(batch: Batch, done: string): boolean {
  const [first] = batch.failed;
  if (batch.done.length > 0) toast.done(`${plural(batch.done.length, "certificate")} ${done}`);
  if (first === undefined) return true;
  const cause = first.error instanceof Error ? first.error.message : "The console's log has the cause.";
  toast.failed(`${plural(batch.failed.length, "certificate")} not ${done}`, cause);
  return false;
}
