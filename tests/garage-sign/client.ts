import { createHash } from "node:crypto";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import { assertThreshold, parseEnvelope } from "#lib/uptane/envelope.ts";
import { formatExpires } from "#lib/uptane/expiry.ts";
import type { Json, JsonObject } from "#lib/uptane/json.ts";
import { type KeyPair, type KeyType, type Signer, serverKeyId, signerFromPrivate } from "#lib/uptane/keys.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { type VerifiedRoot, verifyInitialRoot, verifyNextRoot } from "#lib/uptane/verify.ts";
import { connect, expectSuccess, type ToolOptions } from "./http.ts";
import { uploadFile } from "./upload.ts";

/*
 * What garage-sign does with an image repository, request by request: docs/contracts/reposerver-keyserver.md section 8.1.
 * The local folder of the tool is this object's memory.
 */

export type NewTarget = {
  readonly name: string;
  readonly version: string;
  readonly hardwareIds: readonly string[];
  readonly format: "OSTREE" | "BINARY";
  readonly sha256: string;
  readonly length: number;
  readonly uri?: string;
};
type TargetsRole = { version: number; expires: string; targets: Record<string, JsonObject>; delegations?: JsonObject };
type RootRole = {
  version: number;
  expires: string;
  keys: Record<string, JsonObject>;
  roles: Record<string, { keyids: string[]; threshold: number }>;
};

export type GarageSign = ReturnType<typeof openRepository>;

const MONTH_MS = 31 * 86_400_000;

export function openRepository(options: ToolOptions & { now?: () => Date }) {
  const connection = connect(options);
  const now = options.now ?? (() => new Date());
  let root: VerifiedRoot | null = null;
  let targets: TargetsRole | null = null;
  let checksum: string | null = null;
  let signed: JsonObject | null = null;

  const localRoot = () => root ?? fail("root pull comes first");
  const localTargets = () => targets ?? fail("targets pull comes first");
  const get = async (path: string) => expectSuccess(path, await connection.call("GET", path));

  async function rootPull(): Promise<number> {
    const { body } = await get("root.json");
    const remote = parseEnvelope(body, METADATA_LIMITS.root).signed as unknown as RootRole;
    if (root === null) root = verifyInitialRoot(body, remote.version);
    while (root.signed.version < remote.version) {
      root = verifyNextRoot(root, (await get(`${root.signed.version + 1}.root.json`)).body);
    }
    return root.signed.version;
  }

  async function targetsPull(): Promise<void> {
    const { body, headers } = await get("targets.json");
    const stated = headers["x-ats-role-checksum"];
    if (typeof stated !== "string" || !/^[0-9a-f]{64}$/.test(stated)) fail("targets.json has no x-ats-role-checksum");
    const envelope = parseEnvelope(body, METADATA_LIMITS.imageTargets);
    const { keys, roles } = localRoot().signed;
    assertThreshold(envelope, keys, roles.targets);
    targets = structuredClone(envelope.signed) as unknown as TargetsRole;
    checksum = String(stated);
    signed = null;
  }

  /** @returns the name it is listed under */
  function targetsAdd(target: NewTarget, { cliUploaded = false } = {}): string {
    const { name, version, hardwareIds, format: targetFormat, sha256, length, uri } = target;
    const filename = `${name}-${version}`;
    const at = formatExpires(now());
    const said = { name, version, hardwareIds: [...hardwareIds], targetFormat, uri: uri ?? null };
    const custom = { ...said, createdAt: at, updatedAt: at, ...(cliUploaded ? { cliUploaded } : {}) };
    localTargets().targets[filename] = { length, hashes: { sha256 }, custom };
    return filename;
  }

  function targetsDelete(filename: string): void {
    delete localTargets().targets[filename];
  }

  /** @param version by itself the one after what was pulled */
  function targetsSign(
    signers: readonly Signer[],
    { expires = new Date(now().getTime() + MONTH_MS), version = 0 } = {},
  ) {
    const next = { ...localTargets(), expires: formatExpires(expires), version: version || localTargets().version + 1 };
    signed = sign(structuredClone(next) as unknown as JsonObject, signers);
  }

  /** @throws ToolError 412 `role_checksum_mismatch`: somebody else pushed, pull and sign again */
  async function targetsPush(): Promise<void> {
    const headers: Record<string, string> = checksum === null ? {} : { "x-ats-role-checksum": checksum };
    expectSuccess("targets push", await connection.call("PUT", "targets", { json: signed, headers }));
  }

  /** `targets upload` and `targets add-uploaded`. */
  async function targetsUpload(
    target: Omit<NewTarget, "format" | "sha256" | "length">,
    bytes: Buffer,
  ): Promise<string> {
    await uploadFile(connection, `${target.name}-${target.version}`, bytes);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return targetsAdd({ ...target, format: "BINARY", sha256, length: bytes.length }, { cliUploaded: true });
  }

  async function rootPush(next: JsonObject, signers: readonly Signer[]): Promise<void> {
    expectSuccess("root push", await connection.call("POST", "root", { json: sign(next, signers) }));
  }

  /** Takes root and targets keys offline. @returns the old root key, which the tool keeps in its folder */
  async function moveOffline({ newRoot, newTargets }: { newRoot: KeyPair; newTargets: KeyPair }): Promise<Signer> {
    await rootPull();
    if (targets === null) await targetsPull();
    const current = parseEnvelope(localRoot().bytes, METADATA_LIMITS.root).signed as unknown as RootRole;
    const oldKeyId = current.roles.root?.keyids.at(-1) ?? fail("the root has no root key");
    const pair = JSON.parse((await get(`root/private_keys/${oldKeyId}`)).body.toString("utf8")) as {
      keytype: KeyType;
      keyval: { private: string };
    };
    const oldRoot = signerFromPrivate(pair.keytype, pair.keyval.private);
    const deleted = await connection.call("DELETE", `root/private_keys/${oldKeyId}`);
    expectSuccess("root/private_keys", deleted);
    const next = withKey(withKey(current, "root", newRoot), "targets", newTargets);
    const signers = [signerFromPrivate(newRoot.publicKey.keytype, newRoot.privateKey), oldRoot];
    await rootPush({ ...next, version: current.version + 1 } as unknown as JsonObject, signers);
    await rootPull();
    return oldRoot;
  }

  const delegationsPush = async (name: string, document: JsonObject): Promise<void> => {
    expectSuccess("delegations push", await connection.call("PUT", `delegations/${name}.json`, { json: document }));
  };
  const delegationsPull = async (name: string) => (await get(`delegations/${name}.json`)).body;
  const rootRotate = async () => expectSuccess("root/rotate", await connection.call("PUT", "root/rotate"));
  const rootUnsigned = async () => JSON.parse((await get("root")).body.toString("utf8")) as JsonObject;

  return {
    ...{ rootPull, rootPush, rootRotate, rootUnsigned, moveOffline, delegationsPush, delegationsPull },
    ...{ targetsPull, targetsAdd, targetsDelete, targetsSign, targetsPush, targetsUpload },
    /** What `targets push` sends: what a person may look at, or spoil. */
    signedTargets: () => signed,
    takeSigned: (document: JsonObject) => {
      signed = document;
    },
    rootVersion: () => localRoot().signed.version,
    targetNames: () => Object.keys(localTargets().targets),
  };
}

/** Signed over the canonical form, and sent in another one, as the tool does. */
export function sign(role: JsonObject, signers: readonly Signer[]): JsonObject {
  const bytes = canonicalBytes(role as Json);
  const signatures = signers.map((signer) => ({ method: signer.method, keyid: signer.keyId, sig: signer.sign(bytes) }));
  return { signed: role, signatures };
}

/** The role's keys replaced by one; the old ones go unless another role has them. */
function withKey(root: RootRole, role: string, { publicKey }: KeyPair): RootRole {
  const keyid = serverKeyId(publicKey);
  const roles = { ...root.roles, [role]: { keyids: [keyid], threshold: 1 } };
  const used = new Set(Object.values(roles).flatMap(({ keyids }) => keyids));
  const listed = { ...root.keys, [keyid]: { keytype: publicKey.keytype, keyval: { public: publicKey.keyval.public } } };
  return { ...root, roles, keys: Object.fromEntries(Object.entries(listed).filter(([id]) => used.has(id))) };
}

function fail(why: string): never {
  throw new Error(why);
}
