import { z } from "zod";
import { Instant, Sha256 } from "./common.ts";
import { endpoint } from "./endpoint.ts";

/** As text with its quotes escaped, the largest targets that devices take. */
const MAX_TARGETS_BODY_BYTES = 12_582_912;
const MAX_ROOT_CHARACTERS = 65_536;
const MAX_TARGETS_CHARACTERS = 8_388_608;

export const RepositoryName = z.enum(["image", "director"]);
export type RepositoryName = z.infer<typeof RepositoryName>;

/** `not_known` when the back end does not say: an error of the key service is never "online". */
export const KeyState = z.enum(["online", "offline", "not_known"]);
export type KeyState = z.infer<typeof KeyState>;

export const RoleKeys = z.object({
  role: z.string(),
  threshold: z.number().int(),
  keys: z.array(
    z.object({
      keyId: z.string(),
      type: z.enum(["ED25519", "RSA"]),
      state: KeyState,
      canGoOffline: z.boolean(),
      offlineObstacle: z
        .string()
        .nullable()
        .describe("Why a key that could go offline can't from here; null when it can, or never could"),
    }),
  ),
  /** null for what each device has of its own, and for what could not be read. */
  version: z.number().int().nullable(),
  expiresAt: Instant.nullable(),
  /** Of the document in force: what signed targets must name as the ones they replace. */
  checksum: z.string().nullable(),
  renewal: z.enum(["automatic", "per_device", "person", "not_known"]),
  warning: z.object({ tone: z.enum(["warn", "bad"]), withinDays: z.number().int() }).nullable(),
});
export type RoleKeys = z.infer<typeof RoleKeys>;

/** Why it can't be done now; null when it can. */
const Obstacle = z.string().nullable();

export const KeyRepository = z.object({
  repository: RepositoryName,
  repoId: z.string().nullable(),
  /** Why nothing could be read; the rest is then empty. */
  problem: z.string().nullable(),
  /** Why it is not known which keys are online. */
  keyProblem: z.string().nullable(),
  roles: z.array(RoleKeys),
  obstacles: z.object({ rotate: Obstacle, reSign: Obstacle, pushTargets: Obstacle }),
});
export type KeyRepository = z.infer<typeof KeyRepository>;

export const KeysOverview = z.object({
  repositories: z.array(KeyRepository),
  /** Why images can't be changed from here, because their keys are elsewhere. */
  imagesLocked: z.string().nullable(),
  /** Whom an expired role would stop: devices by their last contact. */
  fleet: z.object({
    total: z.number().int(),
    seenLastHour: z.number().int(),
    seenLastDay: z.number().int(),
    seenLastWeek: z.number().int(),
  }),
  toolsUrl: z.string(),
});
export type KeysOverview = z.infer<typeof KeysOverview>;

export const KeyCheck = z.object({
  name: z.string(),
  state: z.enum(["passed", "failed", "not_reached"]),
  detail: z.string(),
});
export type KeyCheck = z.infer<typeof KeyCheck>;

/** What was tried, or what was done after it had been tried. */
export const KeyChange = z.object({
  done: z.boolean(),
  checks: z.array(KeyCheck),
  /** What follows of it, for the person who decides. */
  consequences: z.array(z.string()),
});
export type KeyChange = z.infer<typeof KeyChange>;

const Repository = z.strictObject({ repository: RepositoryName });

export const getKeys = endpoint({
  method: "GET",
  path: "/api/v1/keys",
  permission: "key.read",
  summary: "Roles of both repositories: keys, versions, expiry, and whom it would strand",
  reply: KeysOverview,
});

export const rotateKeys = endpoint({
  method: "POST",
  path: "/api/v1/keys/{repository}/rotate",
  permission: "key.manage",
  summary: "Rehearse new root and targets keys as a device would see them, then rotate",
  params: Repository,
  body: z.strictObject({ rehearseOnly: z.boolean().default(false) }),
  reply: KeyChange,
});

export const getUnsignedRoot = endpoint({
  method: "GET",
  path: "/api/v1/keys/{repository}/unsigned-root",
  permission: "key.read",
  summary: "The next root without signatures, to be signed elsewhere",
  params: Repository,
  reply: z.object({ signed: z.record(z.string(), z.unknown()) }),
});

/** `document` is the file's text, so that what was signed arrives as it was written. */
export const PushRoot = z.strictObject({
  document: z.string().min(1).max(MAX_ROOT_CHARACTERS),
  rehearseOnly: z.boolean().default(false),
});
export type PushRoot = z.infer<typeof PushRoot>;

export const pushRoot = endpoint({
  method: "POST",
  path: "/api/v1/keys/{repository}/root",
  permission: "key.manage",
  summary: "Put a root in force that was signed elsewhere",
  params: Repository,
  body: PushRoot,
  maxBodyBytes: 262_144,
  reply: KeyChange,
});

export const PushTargets = z.strictObject({
  document: z.string().min(1).max(MAX_TARGETS_CHARACTERS),
  /** Of the targets that these replace. */
  checksum: Sha256,
  rehearseOnly: z.boolean().default(false),
});
export type PushTargets = z.infer<typeof PushTargets>;

export const pushTargets = endpoint({
  method: "POST",
  path: "/api/v1/keys/image/targets",
  permission: "key.manage",
  summary: "Put targets of the image repository in force that were signed elsewhere",
  body: PushTargets,
  maxBodyBytes: MAX_TARGETS_BODY_BYTES,
  reply: KeyChange,
});

export const takeOffline = endpoint({
  method: "POST",
  path: "/api/v1/keys/{repository}/offline",
  permission: "key.manage",
  summary: "Delete a private key here, for good; its copy must be kept elsewhere",
  params: Repository,
  body: z.strictObject({
    keyId: Sha256,
    /** The first eight characters of the key's id, typed by a person. */
    confirm: z.string().max(64),
  }),
  reply: KeyRepository,
});

export const reSign = endpoint({
  method: "POST",
  path: "/api/v1/keys/{repository}/re-sign",
  permission: "key.manage",
  summary: "Sign again, each document one version higher, what has its keys here",
  params: Repository,
  body: z.strictObject({}),
  reply: KeyRepository,
});
