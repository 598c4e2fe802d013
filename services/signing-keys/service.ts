import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type {
  KeyChange,
  KeyRepository,
  KeysOverview,
  PushRoot,
  PushTargets,
  RepositoryName,
  RoleKeys,
} from "#lib/contracts/console/keys.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEnvelope } from "#lib/uptane/envelope.ts";
import type { JsonObject } from "#lib/uptane/json.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { parseFullRoot, printFullRoot } from "#lib/uptane/next-root.ts";
import { type AuditFacts, type AuditRecord, auditBackendChange } from "#services/audit/service.ts";
import { countFleet } from "#services/fleet/service.ts";
import { type Judged, judgeRoot, judgeTargets } from "./candidates.ts";
import { REPOSITORY_NAME } from "./names.ts";
import { describeRepository, lockOfImages, readRepository } from "./repositories.ts";
import { rehearseRotation, verifyServed } from "./rotation.ts";

export { assertDirectorSigns } from "./director.ts";

const ROOT_VALID_MS = 365 * 86_400_000;
const TYPED_CHARACTERS = 8;

/** Both repositories, each with its own error when it does not answer. @throws AppError `auth.forbidden` */
export async function getKeys(ctx: BackendCtx, actor: Actor): Promise<KeysOverview> {
  requirePermission(actor, "key.read");
  const [image, director, fleet] = await Promise.all([
    readRepository(ctx, "image"),
    readRepository(ctx, "director"),
    countFleet(ctx, actor),
  ]);
  const { total, seenLastHour, seenLastDay, seenLastWeek } = fleet;
  return {
    repositories: [image, director],
    imagesLocked: lockOfImages(image),
    fleet: { total, seenLastHour, seenLastDay, seenLastWeek },
    toolsUrl: ctx.config.toolsUrl,
  };
}

export type RoleWarning = { readonly repository: RepositoryName; readonly role: RoleKeys };

/** Roles whose end concerns a person, for the overview. A back end that does not answer has none. @throws AppError `auth.forbidden` */
export async function listKeyWarnings(ctx: BackendCtx, actor: Actor): Promise<RoleWarning[]> {
  requirePermission(actor, "key.read");
  const both = await Promise.all([readRepository(ctx, "image"), readRepository(ctx, "director")]);
  return both.flatMap(({ repository, roles }) =>
    roles.filter(({ warning }) => warning !== null).map((role) => ({ repository, role })),
  );
}

/**
 * Rehearses new root and targets keys as a device would see them; then, unless that is all, rotates, and verifies what is served.
 *
 * @throws AppError `auth.forbidden` | `signing_key.refused` | `signing_key.unsupported` | `signing_key.rehearsal_failed` (nothing was
 *   changed) | `backend.*`
 */
export async function rotateKeys(
  ctx: BackendCtx,
  actor: Actor,
  { repository, rehearseOnly }: { repository: RepositoryName; rehearseOnly: boolean },
): Promise<KeyChange> {
  requirePermission(actor, "key.manage");
  const before = await describeRepository(ctx, repository);
  if (before.obstacles.rotate !== null) throw new AppError("signing_key.refused", before.obstacles.rotate);
  const rehearsed = await rehearseRotation(ctx, before);
  if (rehearseOnly) return { done: false, ...rehearsed };
  assertPassed("signing_key.rehearsal_failed", rehearsed);
  const root = await ctx.backends.repositoryKeys.readMetadata(ctx, repository, "root.json");
  const checks = await changeKeys(ctx, { actor, action: "keys.rotate", before }, async () => {
    await ctx.backends.repositoryKeys.rotate(ctx, repository);
    return verifyServed(ctx, repository, root);
  });
  return { done: true, checks, consequences: rehearsed.consequences };
}

/** The next root without signatures, for whoever has its keys. @throws AppError `auth.forbidden` | `backend.*` | `uptane.malformed` */
export async function getUnsignedRoot(
  ctx: BackendCtx,
  actor: Actor,
  repository: RepositoryName,
): Promise<{ signed: JsonObject }> {
  requirePermission(actor, "key.read");
  const bytes = await ctx.backends.repositoryKeys.readMetadata(ctx, repository, "root.json");
  const root = parseFullRoot(parseEnvelope(bytes, METADATA_LIMITS.root).signed);
  const expires = new Date(Math.max(ctx.clock().getTime() + ROOT_VALID_MS, root.expires.getTime()));
  return { signed: printFullRoot({ ...root, version: root.version + 1, expires }) };
}

/**
 * Judges a root that was signed elsewhere; then, unless that is all, puts it in force.
 *
 * @throws AppError `auth.forbidden` | `signing_key.document_refused` (with every reason) | `backend.*`
 */
export async function pushRoot(
  ctx: BackendCtx,
  actor: Actor,
  push: PushRoot & { repository: RepositoryName },
): Promise<KeyChange> {
  requirePermission(actor, "key.manage");
  const { repository } = push;
  const before = await describeRepository(ctx, repository);
  const current = await ctx.backends.repositoryKeys.readMetadata(ctx, repository, "root.json");
  const document = Buffer.from(push.document, "utf8");
  const judged = judgeRoot({ repository: before, current, document, now: ctx.clock() });
  if (push.rehearseOnly) return { done: false, ...judged };
  assertPassed("signing_key.document_refused", judged);
  await changeKeys(ctx, { actor, action: "keys.push_root", before }, () =>
    ctx.backends.repositoryKeys.pushRoot(ctx, repository, document),
  );
  return { done: true, ...judged };
}

/**
 * Judges targets of the image repository that were signed elsewhere; then, unless that is all, puts them in force.
 *
 * @throws AppError `auth.forbidden` | `signing_key.document_refused` | `request.precondition_failed` | `backend.*`
 */
export async function pushTargets(ctx: BackendCtx, actor: Actor, push: PushTargets): Promise<KeyChange> {
  requirePermission(actor, "key.manage");
  const { repositoryKeys } = ctx.backends;
  const before = await describeRepository(ctx, "image");
  const [root, currentTargets] = await Promise.all([
    repositoryKeys.readMetadata(ctx, "image", "root.json"),
    repositoryKeys.readMetadata(ctx, "image", "targets.json"),
  ]);
  const document = Buffer.from(push.document, "utf8");
  const judged = judgeTargets({ root, currentTargets, document, checksum: push.checksum, now: ctx.clock() });
  if (push.rehearseOnly) return { done: false, ...judged };
  assertPassed("signing_key.document_refused", judged);
  await changeKeys(ctx, { actor, action: "keys.push_targets", before }, () =>
    repositoryKeys.pushTargets(ctx, document, push.checksum),
  );
  return { done: true, ...judged };
}

/**
 * Deletes a private key at the back end, for good.
 *
 * @param key.confirm the first eight characters of its id, as a person typed them
 * @throws AppError `auth.forbidden` | `request.invalid` (typed wrong) | `signing_key.not_found` | `signing_key.refused` (its role is signed by itself) | `backend.*`
 */
export async function takeOffline(
  ctx: BackendCtx,
  actor: Actor,
  key: { repository: RepositoryName; keyId: string; confirm: string },
): Promise<KeyRepository> {
  requirePermission(actor, "key.manage");
  const before = await describeRepository(ctx, key.repository);
  const role = before.roles.find(({ keys }) => keys.some(({ keyId }) => keyId === key.keyId));
  const found = role?.keys.find(({ keyId }) => keyId === key.keyId);
  if (role === undefined || found === undefined || found.state === "offline") {
    throw new AppError("signing_key.not_found", "There is no private key of this id.");
  }
  if (!found.canGoOffline) {
    throw new AppError("signing_key.refused", `The ${role.role} role is signed here, so its key must stay.`);
  }
  if (key.confirm.trim().toLowerCase() !== key.keyId.slice(0, TYPED_CHARACTERS)) {
    const message = `must be the first ${TYPED_CHARACTERS} characters of the key's id`;
    throw new AppError("request.invalid", `confirm: ${message}`, { detail: [{ path: "confirm", message }] });
  }
  const facts = { role: role.role, keyId: key.keyId };
  await changeKeys(ctx, { actor, action: "keys.take_offline", before, facts }, () =>
    ctx.backends.repositoryKeys.deletePrivateKey(ctx, key.repository, key.keyId),
  );
  return describeRepository(ctx, key.repository);
}

/** Has signed anew, each document one version higher, what has its keys at the back end. @throws AppError `auth.forbidden` | `signing_key.unsupported` | `backend.*` */
export async function reSign(ctx: BackendCtx, actor: Actor, repository: RepositoryName): Promise<KeyRepository> {
  requirePermission(actor, "key.manage");
  const before = await describeRepository(ctx, repository);
  if (before.obstacles.reSign !== null) throw new AppError("signing_key.unsupported", before.obstacles.reSign);
  await changeKeys(ctx, { actor, action: "keys.re_sign", before }, () =>
    ctx.backends.repositoryKeys.signAnew(ctx, repository),
  );
  return describeRepository(ctx, repository);
}

type Change = { actor: Actor; action: AuditRecord["action"]; before: KeyRepository; facts?: AuditFacts };

/** One change between its entries in the audit log; what the versions are afterwards belongs to it. */
async function changeKeys<T>(ctx: BackendCtx, change: Change, work: () => Promise<T>): Promise<T> {
  const { actor, action, before, facts = {} } = change;
  const { repository } = before;
  const entry = {
    action,
    target: { kind: "repository" as const, id: repository, name: REPOSITORY_NAME[repository] },
    before: versionsOf(before),
    after: facts,
  };
  return auditBackendChange(ctx, { actor, entry }, async (finish) => {
    const outcome = await work();
    const after = versionsOf(await readRepository(ctx, repository));
    await ctx.db.$transaction(async (tx) => {
      await publishEvent(tx, ctx.namespaceId, { topic: "key", subjectId: repository });
      await finish(tx, after);
    });
    return outcome;
  });
}

function versionsOf({ roles }: KeyRepository): AuditFacts {
  return Object.fromEntries(
    roles.flatMap(({ role, version }) => (version === null ? [] : [[`${role} version`, version] as const])),
  );
}

function assertPassed(code: "signing_key.rehearsal_failed" | "signing_key.document_refused", judged: Judged): void {
  const failures = judged.checks.filter(({ state }) => state === "failed");
  const [first] = failures;
  if (first === undefined) return;
  throw new AppError(code, failures.map(({ name, detail }) => `${name}: ${detail}`).join(" "), {
    detail: failures.map(({ detail }) => ({ path: "document", message: detail })),
  });
}
