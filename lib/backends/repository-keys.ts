import { Readable } from "node:stream";
import type { RepositoryName } from "#lib/contracts/console/keys.ts";
import { RehearsalReply, RepositoryKeys } from "#lib/contracts/ota/repository-keys.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import type { RehearsalCheck } from "#lib/uptane/rehearsal.ts";
import { type BackendCall, type BackendClient, parseReply } from "./http.ts";
import { isRefused } from "./image-errors.ts";
import type { Relay } from "./relay.ts";

export type RepositoryKeysBackend = {
  /** @returns null of a back end that is no Gatehouse and does not tell */
  describe(call: BackendCall, repository: RepositoryName): Promise<RepositoryKeys | null>;
  /** Rotates, verifies and takes back. @throws AppError `signing_key.unsupported` | `signing_key.refused` */
  rehearse(call: BackendCall, repository: RepositoryName): Promise<readonly RehearsalCheck[]>;
  /** @throws AppError `signing_key.unsupported` | `signing_key.refused` (the root key is offline) */
  rotate(call: BackendCall, repository: RepositoryName): Promise<void>;
  /** @throws AppError `signing_key.unsupported` */
  signAnew(call: BackendCall, repository: RepositoryName): Promise<void>;
  /** @throws AppError `signing_key.document_refused` */
  pushRoot(call: BackendCall, repository: RepositoryName, document: Buffer): Promise<void>;
  /** @throws AppError `signing_key.document_refused` | `request.precondition_failed` (other targets are in force by now) */
  pushTargets(call: BackendCall, document: Buffer, checksum: string): Promise<void>;
  /** @throws AppError `signing_key.not_found` */
  deletePrivateKey(call: BackendCall, repository: RepositoryName, keyId: string): Promise<void>;
  /** Signed metadata as it is served: `root.json`, `targets.json`. */
  readMetadata(call: BackendCall, repository: RepositoryName, name: string): Promise<Buffer>;
  /** The id that the image repository's keys have at its keyserver. @returns null when it does not say */
  findRepoId(call: BackendCall): Promise<string | null>;
};

const BASE: Readonly<Record<RepositoryName, string>> = { image: "/api/v1/user_repo", director: "/api/v1/admin/repo" };
const KEYS: Readonly<Record<RepositoryName, string>> = {
  image: `${BASE.image}/root/private_keys`,
  director: `${BASE.director}/private_keys`,
};
/** It signs all images, or touches every device. */
const CHANGE_MS = 120_000;

/** @see docs/contracts/reposerver-keyserver.md section 1, 2 and 5; docs/contracts/director.md section 1 */
export function createRepositoryKeysBackend(
  clients: Readonly<Record<RepositoryName, BackendClient>>,
  relay: Pick<Relay, "send">,
): RepositoryKeysBackend {
  const change = async (call: BackendCall, repository: RepositoryName, to: { method: "POST" | "PUT"; path: string }) =>
    clients[repository]
      .send(call, { ...to, path: `${BASE[repository]}${to.path}`, withinMs: CHANGE_MS })
      .catch(asKeyError);
  const documentOf = (document: Buffer) => ({ body: Readable.from([document]), contentType: "application/json" });
  return {
    async describe(call, repository) {
      const client = clients[repository];
      try {
        const reply = await client.send(call, { method: "GET", path: `${BASE[repository]}/gatehouse/keys` });
        return parseReply(client, reply, RepositoryKeys);
      } catch (error) {
        if (isAppError(error, "backend.unsupported") || isRefused(error, 404)) return null;
        throw error;
      }
    },
    async rehearse(call, repository) {
      const reply = await change(call, repository, { method: "POST", path: "/gatehouse/rehearsal" });
      return parseReply(clients[repository], reply, RehearsalReply).checks;
    },
    async rotate(call, repository) {
      await change(call, repository, { method: "PUT", path: "/root/rotate" });
    },
    async signAnew(call, repository) {
      await change(call, repository, { method: "POST", path: "/gatehouse/re-sign" });
    },
    async pushRoot(call, repository, document) {
      const path = `${BASE[repository]}/root`;
      await clients[repository]
        .send(call, { method: "POST", path, upload: documentOf(document) })
        .catch(asDocumentError);
    },
    async pushTargets(call, document, checksum) {
      const headers = { "x-ats-role-checksum": checksum };
      const path = `${BASE.image}/targets`;
      await clients.image
        .send(call, { method: "PUT", path, headers, upload: documentOf(document) })
        .catch(asDocumentError);
    },
    async deletePrivateKey(call, repository, keyId) {
      const path = `${KEYS[repository]}/${encodeURIComponent(keyId)}`;
      await clients[repository].send(call, { method: "DELETE", path }).catch((error) => {
        if (!isRefused(error, 404)) throw error;
        throw new AppError("signing_key.not_found", "There is no private key of this id.", { cause: error });
      });
    },
    async readMetadata(call, repository, name) {
      return (await clients[repository].send(call, { method: "GET", path: `${BASE[repository]}/${name}` })).body;
    },
    async findRepoId(call) {
      const path = `${BASE.image}/root.json`;
      const request = { service: "reposerver", method: "GET", path, headers: {}, body: null } as const;
      const { headers, body } = await relay.send(call, request);
      body.resume();
      return headers["x-ats-tuf-repo-id"] ?? null;
    },
  };
}

function asKeyError(error: unknown): never {
  if (isRefused(error, 412)) throw new AppError("signing_key.refused", error.message, { cause: error });
  if (isAppError(error, "backend.unsupported") || isRefused(error, 404) || isRefused(error, 405)) {
    throw new AppError("signing_key.unsupported", error.message, { cause: error });
  }
  throw error;
}

/** A root that is refused comes back as 502, which here means no, not that something failed. */
function asDocumentError(error: unknown): never {
  if (isRefused(error, 412)) throw new AppError("request.precondition_failed", error.message, { cause: error });
  const isNo =
    isRefused(error, 400) ||
    isRefused(error, 409) ||
    isRefused(error, 413) ||
    (isAppError(error, "backend.refused") && error.context.code === "invalid_root_role");
  if (isNo && isAppError(error)) throw new AppError("signing_key.document_refused", error.message, { cause: error });
  throw error;
}
