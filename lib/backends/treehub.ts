import { CommitCheckReply } from "#lib/contracts/ota/treehub.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { formatObjectName, type ObjectName } from "#lib/ostree/names.ts";
import { checkCommitTree } from "#lib/ostree/walk.ts";
import { type BackendCall, type BackendClient, parseReply } from "./http.ts";
import type { Relay } from "./relay.ts";

export type TreehubBackend = {
  /**
   * Every object of a commit read and held against its name: by TreeHub itself where it is one of ours, else here, object by object.
   *
   * @returns null for a TreeHub that sends its readers elsewhere for objects: an address that a back end names is not followed
   */
  checkCommit(call: BackendCall, commit: string): Promise<CommitCheckReply | null>;
};

/** A tree may have hundreds of thousands of objects. */
const CHECK_MS = 1_800_000;

/**
 * @param isGatehouse whether the service is one of ours and has the extension that checks commits
 * @param relay for bytes that are too many to be held
 */
export function createTreehubBackend(
  client: BackendClient,
  isGatehouse: (call: BackendCall) => Promise<boolean>,
  relay: Pick<Relay, "send">,
): TreehubBackend {
  return {
    async checkCommit(call, commit) {
      if (!(await isGatehouse(call))) return walkFromHere(relay, call, commit);
      const path = `/api/v3/gatehouse/commits/${encodeURIComponent(commit)}/check`;
      const reply = await client.send(call, { method: "GET", path, withinMs: CHECK_MS });
      return parseReply(client, reply, CommitCheckReply);
    },
  };
}

class KeptElsewhere extends Error {
  override readonly name = "KeptElsewhere";
}

async function walkFromHere(
  relay: Pick<Relay, "send">,
  call: BackendCall,
  commit: string,
): Promise<CommitCheckReply | null> {
  try {
    const found = await checkCommitTree(commit, {
      findPresent: async (names) => new Set(names), // which are missing shows when they are read
      open: (name) => openObject(relay, call, name),
    });
    return { commit, ...found };
  } catch (error) {
    if (error instanceof KeptElsewhere) return null;
    throw error;
  }
}

/** @throws AppError `backend.*` | KeptElsewhere */
async function openObject(relay: Pick<Relay, "send">, call: BackendCall, name: ObjectName) {
  const object = formatObjectName(name);
  const path = `/api/v2/objects/${object.slice(0, 2)}/${object.slice(2)}`;
  const { status, body } = await relay.send(call, { service: "treehub", method: "GET", path, headers: {}, body: null });
  if (status === 200) return body;
  body.resume();
  if (status === 404) return null;
  if (status >= 300 && status < 400) throw new KeptElsewhere();
  throw new AppError("backend.refused", `The TreeHub answered ${status} instead of an object.`, {
    context: { service: "treehub", status },
  });
}
