import { CommitCheckReply } from "#lib/contracts/ota/treehub.ts";
import { type BackendCall, type BackendClient, parseReply } from "./http.ts";

export type TreehubBackend = {
  /**
   * Has every object of a commit read and held against its name.
   *
   * @returns null for a TreeHub that is no Gatehouse and has no such thing
   */
  checkCommit(call: BackendCall, commit: string): Promise<CommitCheckReply | null>;
};

/** A tree may have hundreds of thousands of objects. */
const CHECK_MS = 1_800_000;

/** @param isGatehouse whether the service is one of ours and has the extension that checks commits */
export function createTreehubBackend(
  client: BackendClient,
  isGatehouse: (call: BackendCall) => Promise<boolean>,
): TreehubBackend {
  return {
    async checkCommit(call, commit) {
      if (!(await isGatehouse(call))) return null;
      const path = `/api/v3/gatehouse/commits/${encodeURIComponent(commit)}/check`;
      const reply = await client.send(call, { method: "GET", path, withinMs: CHECK_MS });
      return parseReply(client, reply, CommitCheckReply);
    },
  };
}
