import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { storableText } from "#lib/domain/storable-text.ts";
import type { Completion, Outcome } from "./outcome.ts";
import type { AssignmentRow } from "./store-assignments.ts";
import type { EcuRow } from "./store-devices.ts";
import { type EcuOutcome, findUpdateDevice, markSeen, setOutcome, type UpdateResult } from "./store-updates.ts";
import { updateIdOf } from "./update-id.ts";

/** The device has fetched what these correlation ids name. @see contracts/director.md section 4.2 */
export async function noteUpdatesSeen(tx: Tx, deviceUuid: string, correlationIds: readonly string[]): Promise<void> {
  const ids = correlationIds.flatMap((correlationId) => updateIdOf(correlationId) ?? []);
  if (ids.length > 0) await markSeen(tx, deviceUuid, ids);
}

/**
 * Moves an update of `/updates` along with what a manifest ended: completed once no assignment of it is open, well or not.
 *
 * @see contracts/director.md section 5, point 5
 */
export async function noteUpdateOutcome(
  tx: Tx,
  ctx: Ctx,
  of: {
    deviceUuid: string;
    ecus: readonly EcuRow[];
    assignments: readonly AssignmentRow[];
    outcome: Outcome<AssignmentRow>;
  },
): Promise<void> {
  const { deviceUuid, outcome } = of;
  const ended = Map.groupBy(outcome.closed, ({ assignment }) => assignment.correlationId);
  // A device has one such update at most, so this is one turn.
  for (const [correlationId, closed] of ended) {
    const updateId = updateIdOf(correlationId);
    const update =
      updateId === null ? null : await findUpdateDevice(tx, { namespaceId: ctx.namespaceId, updateId, deviceUuid });
    const completion = outcome.completions.findLast((one) => one.correlationId === correlationId);
    if (update === null || completion === undefined) continue;
    const total = of.assignments.filter((assignment) => assignment.correlationId === correlationId).length;
    const done = closed.length === total;
    const ecuResults = {
      ...update.result?.ecuResults,
      ...Object.fromEntries(
        closed.map((one) => [one.assignment.ecuSerial, toEcuOutcome({ ...one, completion, ecus: of.ecus })]),
      ),
    };
    await setOutcome(
      tx,
      { updateId: update.updateId, deviceUuid },
      {
        status: done ? "Completed" : "PartiallyCompleted",
        result: toResult(completion, ecuResults),
        completedAt: done ? ctx.clock() : null,
      },
    );
  }
}

function toResult({ result }: Completion, ecuResults: UpdateResult["ecuResults"]): UpdateResult {
  return {
    resultCode: storableText(result.code, 200),
    success: result.success && Object.values(ecuResults).every(({ success }) => success),
    description: storableText(result.description),
    ecuResults,
  };
}

function toEcuOutcome(of: {
  assignment: AssignmentRow;
  successful: boolean;
  completion: Completion;
  ecus: readonly EcuRow[];
}): EcuOutcome {
  const { ecuSerial, filename } = of.assignment;
  const said = of.completion.ecuReports[ecuSerial]?.result ?? of.completion.result;
  return {
    hardwareId: of.ecus.find(({ serial }) => serial === ecuSerial)?.hardwareId ?? "",
    id: filename,
    success: of.successful && said.success,
    description: storableText(said.description),
    result: storableText(said.code, 200),
  };
}
