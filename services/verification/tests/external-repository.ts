import { createServer } from "node:http";
import type { JsonObject } from "#lib/uptane/json.ts";
import { listenLocally } from "#tests/harness/listen.ts";
import { plainCanonical } from "#tests/harness/uptane-documents.ts";
import { createUptaneRepository, type UptaneRepository } from "#tests/harness/uptane-repository.ts";

/**
 * An image repository of somebody else on a real socket, by its contract: documents signed by hand, which a test may replace,
 * and bytes, which it may replace too.
 */
export type ExternalRepository = {
  readonly url: string;
  readonly repository: UptaneRepository;
  /** Served in place of the signed document of this name; null for none. */
  readonly replaced: Map<string, JsonObject | Buffer | null>;
  /** Served in place of the image's bytes; a number is a bare status. */
  readonly bytes: Map<string, Buffer | number>;
  /** How often each path was asked for. */
  readonly asked: Map<string, number>;
  close(): Promise<void>;
};

const BASE = "/api/v1/user_repo/";

export async function startExternalRepository(): Promise<ExternalRepository> {
  const repository = createUptaneRepository();
  const replaced = new Map<string, JsonObject | Buffer | null>();
  const bytes = new Map<string, Buffer | number>();
  const asked = new Map<string, number>();
  const server = createServer((req, res) => {
    const path = decodeURIComponent(new URL(req.url ?? "/", "http://x").pathname).replace(BASE, "");
    asked.set(path, (asked.get(path) ?? 0) + 1);
    const filename = path.startsWith("targets/") ? path.slice("targets/".length) : null;
    const answer =
      filename === null ? documentOf(path) : (bytes.get(filename) ?? repository.images.get(filename)?.content);
    if (typeof answer === "number") res.writeHead(answer, { location: "http://127.0.0.1:1/" }).end();
    else if (answer === undefined || answer === null) res.writeHead(404).end();
    else res.writeHead(200, { "content-length": answer.length }).end(answer);
  });
  function documentOf(name: string): Buffer | null {
    const other = replaced.get(name);
    if (other !== undefined) return other === null || Buffer.isBuffer(other) ? other : plainCanonical(other);
    const newest = [...repository.documents.keys()].filter((key) => /^\/repo\/\d+\.root\.json$/.test(key)).at(-1);
    const document = repository.documents.get(name === "root.json" ? (newest ?? "") : `/repo/${name}`);
    return document === undefined ? null : plainCanonical(document);
  }
  return {
    ...(await listenLocally(server)),
    repository,
    replaced,
    bytes,
    asked,
  };
}
