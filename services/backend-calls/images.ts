import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { z } from "zod";
import { Uuid } from "#lib/contracts/console/common.ts";
import { type Json, parseJsonBounded } from "#lib/uptane/json.ts";
import { verifyBeforeAssignment } from "#services/verification/service.ts";
import type { BackendCallInput, RelayCtx } from "./service.ts";

const BODY_LIMITS = { maxBytes: 4_194_304, maxDepth: 64, maxNodes: 200_000 };

/** Targets by hardware id, as director.md section 3.1 and 7 write them; whatever else is there is the director's to judge. */
const Targets = z.record(z.string(), z.object({ to: z.object({ target: z.string().max(253) }) }));
const WithTargets = z.object({ targets: Targets });
const WithMtu = z.object({ mtuId: Uuid });

/**
 * Recomputes the images that a call would have devices install, before the director hears of it. What the call does not name in a way
 * that the contract knows, the director refuses itself.
 *
 * @returns the body to send on: the one given, read and put together again
 * @throws AppError `update.invalid` when an image does not verify | `request.too_large` | `backend.*`
 */
export async function judgeImages(ctx: RelayCtx, input: BackendCallInput): Promise<Readable | null> {
  const bytes = input.body === null ? null : await buffer(input.body);
  const filenames = await imagesOf(ctx, input, bytes);
  if (filenames.size > 0) await verifyBeforeAssignment(ctx, [...filenames]);
  return bytes === null ? null : Readable.from([bytes]);
}

async function imagesOf(ctx: RelayCtx, input: BackendCallInput, bytes: Buffer | null): Promise<Set<string>> {
  const body = bytes === null ? null : readJson(bytes);
  const named = WithTargets.safeParse(body);
  if (named.success) return filenamesOf(named.data.targets);
  const mtuId = WithMtu.safeParse({ mtuId: input.parameters[1] }).data ?? WithMtu.safeParse(body).data;
  return mtuId === undefined ? new Set() : imagesOfMtu(ctx, mtuId.mtuId);
}

async function imagesOfMtu(ctx: RelayCtx, mtuId: string): Promise<Set<string>> {
  const reply = await ctx.relay.send(ctx, {
    service: "director",
    method: "GET",
    path: `/api/v1/multi_target_updates/${mtuId}`,
    headers: {},
    body: null,
  });
  const targets = Targets.safeParse(readJson(await buffer(reply.body)));
  return reply.status === 200 && targets.success ? filenamesOf(targets.data) : new Set();
}

function filenamesOf(targets: z.infer<typeof Targets>): Set<string> {
  return new Set(Object.values(targets).map(({ to }) => to.target));
}

function readJson(bytes: Buffer): Json {
  try {
    return parseJsonBounded(bytes, BODY_LIMITS);
  } catch {
    return null; // the director says what is wrong with it
  }
}
