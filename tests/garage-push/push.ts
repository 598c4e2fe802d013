import { createReadStream, readFileSync, statSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { findObjectName, formatObjectName, type ObjectName } from "#lib/ostree/names.ts";
import { parseCommit, parseDirTree } from "#lib/ostree/objects.ts";

/*
 * What garage-push does with a TreeHub, request by request: docs/contracts/treehub.md section 7.
 */

export type Push = {
  /** Folder of an OSTree repository in archive mode. */
  readonly repo: string;
  /** `ostree.server` of treehub.json: everything before `objects/…`, with or without a slash at its end. */
  readonly baseUrl: string;
  /** Of every request, e.g. `authorization`. */
  readonly headers: Readonly<Record<string, string>>;
  /** PUT for a server that knows nothing but files; garage-push does POST. */
  readonly method?: "POST" | "PUT";
  /** Requests at the same time; garage-push has up to 30. */
  readonly parallel?: number;
  /** Below `refs/heads` of the repository. */
  readonly branch?: string;
  /** Hears of each object once the server has said that it keeps it. */
  readonly onStored?: (object: string) => void;
  /** For https: the server's CA, the client's certificate. */
  readonly tls?: https.AgentOptions;
};

export type Pushed = { commit: string; uploaded: number; present: number; refusedAsPresent: number };

const PARALLEL = 30;
const EXPECT_ABOVE_BYTES = 1_048_576;
const ATTEMPTS = 3;

/**
 * Pushes a branch: asks for each object and what is below it, uploads what is missing, children first, then sets the ref by force.
 *
 * @throws Error when the server answers in a way that garage-push does not take
 */
export async function pushRepository(push: Push): Promise<Pushed> {
  const { branch = "master", method = "POST" } = push;
  const commit = readFileSync(join(push.repo, "refs/heads", branch), "utf8").trim();
  const connection = connect(push);
  const counts = { uploaded: 0, present: 0, refusedAsPresent: 0 };
  let hasEnded = false;
  const begun = new Map<string, Promise<void>>();
  const once = (name: ObjectName): Promise<void> => {
    const known = begun.get(formatObjectName(name));
    const running = known ?? pushObject(name);
    if (known === undefined) begun.set(formatObjectName(name), running);
    return running;
  };
  async function pushObject(name: ObjectName): Promise<void> {
    if (hasEnded) throw new Error("the push has ended");
    const { status } = await connection.send("HEAD", addressOf(name));
    if (status === 200) {
      counts.present += 1;
      return;
    }
    if (status !== 404) throw new Error(`HEAD ${addressOf(name)}: ${status}`);
    await Promise.all(childrenOf(push.repo, name).map(once));
    if (hasEnded) throw new Error("the push has ended");
    const posted = await connection.send(method, addressOf(name), { file: join(push.repo, addressOf(name)) });
    if (posted.status === (method === "PUT" ? 201 : 204)) {
      counts.uploaded += 1;
      push.onStored?.(formatObjectName(name));
    } else if (posted.status === 409) counts.refusedAsPresent += 1;
    else throw new Error(`${method} ${addressOf(name)}: ${posted.status} ${posted.body}`);
  }
  try {
    await once({ checksum: commit, kind: "commit" });
    const ref = await connection.send(method, `refs/heads/${branch}`, { text: commit });
    if (ref.status < 200 || ref.status > 399) throw new Error(`refs/heads/${branch}: ${ref.status} ${ref.body}`);
    return { commit, ...counts };
  } finally {
    hasEnded = true;
    connection.close();
  }
}

function addressOf({ checksum, kind }: ObjectName): string {
  return `objects/${checksum.slice(0, 2)}/${checksum.slice(2)}.${kind}`;
}

function childrenOf(repo: string, name: ObjectName): ObjectName[] {
  if (name.kind !== "commit" && name.kind !== "dirtree") return [];
  const bytes = readFileSync(join(repo, addressOf(name)));
  const children: string[] = [];
  if (name.kind === "commit") {
    const { rootTree, rootMeta } = parseCommit(bytes);
    children.push(`${rootTree}.dirtree`, `${rootMeta}.dirmeta`);
  } else {
    const { files, dirs } = parseDirTree(bytes);
    children.push(...files.map(({ checksum }) => `${checksum}.filez`));
    children.push(...dirs.flatMap(({ tree, meta }) => [`${tree}.dirtree`, `${meta}.dirmeta`]));
  }
  return children.map(findObjectName).filter((child) => child !== null);
}

type Body = { file: string } | { text: string };
type Answer = { status: number; body: string };

function connect({ baseUrl, headers, parallel = PARALLEL, tls }: Push) {
  const base = baseUrl.endsWith("/") ? baseUrl : `${baseUrl}/`;
  const isTls = base.startsWith("https:");
  const options = { keepAlive: true, maxSockets: parallel };
  const agent = isTls ? new https.Agent({ ...tls, ...options }) : new http.Agent(options);
  const common = { "user-agent": "garage-push/2020.10", "x-ats-ostree-force": "true", ...headers };
  const attempt = (method: string, path: string, body: Body | undefined) =>
    new Promise<Answer>((resolve, reject) => {
      const length = lengthOf(body);
      const waits = length > EXPECT_ABOVE_BYTES;
      const req = (isTls ? https : http).request(new URL(path, base), {
        method,
        agent,
        headers: {
          ...common,
          ...(body === undefined ? {} : { "content-type": "application/octet-stream", "content-length": length }),
          ...(waits ? { expect: "100-continue" } : {}),
        },
      });
      req.once("error", reject);
      req.once("response", (res) => {
        text(res).then((said) => resolve({ status: res.statusCode ?? 0, body: said }), reject);
      });
      if (waits) {
        req.flushHeaders();
        req.once("continue", () => sendBody(req, body));
      } else {
        sendBody(req, body);
      }
    });
  return {
    /** What answers neither yes nor no is asked again, as garage-push does. */
    async send(method: string, path: string, body?: Body): Promise<Answer> {
      for (let left = ATTEMPTS - 1; ; left -= 1) {
        try {
          const answer = await attempt(method, path, body);
          if (answer.status < 500 || left === 0) return answer;
        } catch (error) {
          if (left === 0) throw error;
        }
      }
    },
    close: () => agent.destroy(),
  };
}

function lengthOf(body: Body | undefined): number {
  if (body === undefined) return 0;
  return "file" in body ? statSync(body.file).size : Buffer.byteLength(body.text);
}

function sendBody(req: http.ClientRequest, body: Body | undefined): void {
  if (body === undefined || "text" in body) {
    req.end(body?.text);
    return;
  }
  createReadStream(body.file)
    .once("error", (error) => req.destroy(error))
    .pipe(req);
}
