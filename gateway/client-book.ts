import type { Ctx } from "#lib/ctx.ts";
import { MACHINE_CLIENT_CHANNEL } from "#lib/db/events.ts";
import { findMachineCredential, type MachineClientRow } from "#services/accounts/service.ts";
import { createBoundedMap } from "./bounded-map.ts";
import { type Follower, openFollower } from "./follower.ts";
import { within } from "./within.ts";

export type ClientKey = { clientId: string } | { certificateFingerprint: string };

/** What the tools door remembers of machine clients. */
export type ClientBook = {
  /** The client as it is now, also when it no longer counts; null when there is none; "unavailable" when nobody can know: answer 503. */
  find(key: ClientKey): Promise<MachineClientRow | null | "unavailable">;
  /** Calls back when a client may have changed: with its clientId, or null for all. */
  follow(onChange: (clientId: string | null) => void): void;
  isFresh(): boolean;
  close(): Promise<void>;
};

const REMEMBERED = 5_000;
const READ_WITHIN_MS = 3_000;
const RECHECK_WITHIN_MS = 500;

/**
 * Opens the memory. As with certificates, it is trusted while it follows the database, is the fall-back while that connection
 * is lost, and counts for nothing once it is ADMISSION_STALE_SECONDS old. Strangers are remembered too, so that they cost little.
 */
export async function openClientBook(ctx: Ctx, databaseUrl: string): Promise<ClientBook> {
  const known = createBoundedMap<MachineClientRow | null>(REMEMBERED);
  let generation = 0;
  let announce: (clientId: string | null) => void = () => undefined;
  const follower: Follower = await openFollower(ctx, {
    databaseUrl,
    channel: MACHINE_CLIENT_CHANNEL,
    onChange(clientId) {
      generation += 1;
      // Changes are rare, and a certificate's entry does not tell whose it will be: all is read anew.
      known.clear();
      announce(clientId);
    },
  });

  async function read(key: ClientKey): Promise<MachineClientRow | null> {
    const startedAt = generation;
    const found = await findMachineCredential(ctx, key);
    // Read before a change, told after it: read again, and not to be remembered.
    if (generation !== startedAt) return findMachineCredential(ctx, key);
    known.set(nameOf(key), found);
    return found;
  }

  return {
    isFresh: follower.isFresh,
    follow(onChange) {
      announce = onChange;
    },
    async find(key) {
      if (!follower.isFresh()) return "unavailable";
      const remembered = known.get(nameOf(key));
      if (remembered !== undefined && follower.isFollowing()) return remembered;
      try {
        return await within(read(key), remembered === undefined ? READ_WITHIN_MS : RECHECK_WITHIN_MS);
      } catch (err) {
        ctx.log.warn({ err }, "a machine client can't be looked up");
        return remembered ?? "unavailable";
      }
    },
    close: follower.close,
  };
}

function nameOf(key: ClientKey): string {
  return "clientId" in key ? `id:${key.clientId}` : `certificate:${key.certificateFingerprint}`;
}
