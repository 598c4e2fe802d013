import { toast } from "#components/ui/toast.tsx";
import type { Batch } from "#lib/client/admission.ts";
import { plural } from "#lib/client/format.ts";

/** Says how a decision about several ended. @returns whether all of it was done */
export function tellOutcome(batch: Batch, done: string): boolean {
  const [first] = batch.failed;
  if (batch.done > 0) toast.done(`${plural(batch.done, "certificate")} ${done}`);
  if (first === undefined) return true;
  toast.failed(`${plural(batch.failed.length, "certificate")} not ${done}`, first.text);
  return false;
}
