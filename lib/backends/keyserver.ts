import type { BackendCall, BackendClient } from "./http.ts";

export type KeyserverBackend = {
  /**
   * Whether it can sign targets.
   *
   * @returns null when it does not say: only a plain yes counts as one
   */
  hasTargetsKeys(call: BackendCall, repoId: string): Promise<boolean | null>;
};

/** @see docs/contracts/reposerver-keyserver.md section 7 and 8.2 */
export function createKeyserverBackend(client: BackendClient): KeyserverBackend {
  return {
    async hasTargetsKeys(call, repoId) {
      const path = `/api/v1/root/${encodeURIComponent(repoId)}/keys/targets/pairs`;
      // HEAD, since the body of a GET is the keys. The original has no HEAD here and says 405.
      const { status } = await client.send(call, { method: "HEAD", path, accept: [404, 405] });
      if (status === 405) return null;
      return status !== 404;
    },
  };
}
