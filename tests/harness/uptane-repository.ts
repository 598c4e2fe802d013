import { createHash } from "node:crypto";
import type { JsonObject } from "#lib/uptane/json.ts";
import {
  objectAt,
  plainCanonical,
  put,
  type SeedKey,
  signByHand,
  type VectorRole,
  vectorKey,
  vectors,
} from "#tests/harness/uptane-documents.ts";

const EXPIRES = "2030-01-01T00:00:00Z";

export type Image = { readonly content: Buffer; readonly hardwareIds: readonly string[] };

/**
 * Both repositories of one device, grown from the published vectors and signed by hand with their seeds. `documents` holds
 * what is served by path; a test may put anything else there.
 */
export type UptaneRepository = {
  readonly documents: Map<string, JsonObject>;
  readonly images: Map<string, Image>;
  /** Adds an image and publishes new targets, snapshot and timestamp. */
  publish(filename: string, image: Image): void;
  /** Lists one file for the ECUs (serial to hardware id), or nothing, under the next version. */
  assign(assignment: Assignment | null): void;
  /** Serves a further root of the repository, validly signed, with members changed. */
  rotateRoot(repo: "director" | "repo", changes?: JsonObject): void;
};

export type Assignment = {
  readonly filename: string;
  readonly ecus: Readonly<Record<string, string>>;
  readonly correlationId?: string | null;
  /** Replaces the image's own hash and length. */
  readonly lie?: { readonly sha256?: string; readonly length?: number };
  readonly uri?: string;
};

export const CORRELATION = "urn:here-ota:mtu:6f0a3a1e-2f0e-4c46-9a55-3b0a5a1d7c11";

export function createUptaneRepository(): UptaneRepository {
  const documents = new Map<string, JsonObject>([
    ["/director/1.root.json", objectAt(vectors, "director", "root.json")],
    ["/repo/1.root.json", objectAt(vectors, "image", "root.json")],
    ["/director/targets.json", objectAt(vectors, "director", "targets.v1.json")],
  ]);
  const images = new Map<string, Image>();
  const versions = { image: 1, director: 1, rootdirector: 1, rootrepo: 1 };

  function publishImages(): void {
    versions.image += 1;
    const version = versions.image;
    const targets = Object.fromEntries(
      [...images].map(([filename, image]) => [filename, imageTarget(filename, image)]),
    );
    const document = sign("image", "targets", { _type: "Targets", expires: EXPIRES, targets, version });
    const root = objectAt(vectors, "image", "root.json");
    const meta = { "root.json": metaEntry(root, 1), "targets.json": metaEntry(document, version) };
    const snapshot = sign("image", "snapshot", { _type: "Snapshot", expires: EXPIRES, meta, version });
    const named = { "snapshot.json": metaEntry(snapshot, version) };
    documents.set("/repo/targets.json", document);
    documents.set("/repo/snapshot.json", snapshot);
    documents.set(
      "/repo/timestamp.json",
      sign("image", "timestamp", { _type: "Timestamp", expires: EXPIRES, meta: named, version }),
    );
  }

  return {
    documents,
    images,
    publish(filename, image) {
      images.set(filename, image);
      publishImages();
    },
    assign(assignment) {
      versions.director += 1;
      const base = { _type: "Targets", expires: EXPIRES, version: versions.director };
      const content = assignment === null ? { targets: {} } : directorContent(images, assignment);
      documents.set("/director/targets.json", sign("director", "targets", { ...base, ...content }));
    },
    rotateRoot(repo, changes = {}) {
      const key = `root${repo}` as const;
      versions[key] += 1;
      const vectorRepo = repo === "repo" ? "image" : "director";
      const signed = put(objectAt(vectors, vectorRepo, "root.json", "signed"), ["version"], versions[key]);
      documents.set(`/${repo}/${versions[key]}.root.json`, sign(vectorRepo, "root", { ...signed, ...changes }));
    },
  };
}

/** Signs a role's content with its published key. */
export function sign(repo: "image" | "director", role: VectorRole, signed: JsonObject): JsonObject {
  const key: SeedKey = vectorKey(repo, role);
  return signByHand(signed, key);
}

export function metaEntry(document: JsonObject, version: number): JsonObject {
  const bytes = plainCanonical(document);
  return { hashes: { sha256: sha256Hex(bytes) }, length: bytes.length, version };
}

function imageTarget(filename: string, { content, hardwareIds }: Image): JsonObject {
  const custom = { hardwareIds, name: filename, targetFormat: "BINARY", uri: null, version: "1" };
  return { custom, hashes: { sha256: sha256Hex(content) }, length: content.length };
}

function directorContent(images: ReadonlyMap<string, Image>, assignment: Assignment): JsonObject {
  const { filename, ecus, lie, uri } = assignment;
  const content = images.get(filename)?.content ?? Buffer.alloc(0);
  const ecuIdentifiers = Object.fromEntries(
    Object.entries(ecus).map(([serial, hardwareId]) => [serial, { hardwareId }]),
  );
  const target = {
    custom: { ecuIdentifiers, uri: uri ?? null, userDefinedCustom: null },
    hashes: { sha256: lie?.sha256 ?? sha256Hex(content) },
    length: lie?.length ?? content.length,
  };
  const correlationId = assignment.correlationId === undefined ? CORRELATION : assignment.correlationId;
  return { targets: { [filename]: target }, ...(correlationId === null ? {} : { custom: { correlationId } }) };
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
