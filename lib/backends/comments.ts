import { Readable } from "node:stream";
import { z } from "zod";
import { AppError } from "#lib/errors/app-error.ts";
import type { BackendCall } from "./http.ts";
import type { Relay, RelayReply, RelayRequest } from "./relay.ts";

const PAGE = 1_000;
const MAX_PAGES = 20;
const MAX_PAGE_BYTES = 16_777_216;
const PATH = "/api/v1/user_repo/comments";

const Listed = z.array(z.object({ filename: z.string(), comment: z.string() }));
const Page = z.object({ values: Listed, total: z.number().int() });

/** Whether a request asks for all comments, as before there were pages: whoever names a page reads pages. */
export function asksForAllComments({
  service,
  method,
  path,
}: Pick<RelayRequest, "service" | "method" | "path">): boolean {
  const { pathname, searchParams } = new URL(path, "http://reposerver");
  const named = searchParams.has("offset") || searchParams.has("limit");
  return service === "reposerver" && method === "GET" && pathname === PATH && !named;
}

/**
 * All comments as the plain array of generation [A], whichever generation the repository is of; of one that answers in pages all of them are
 * read, at most 20,000 comments.
 *
 * @throws AppError `backend.invalid_reply` also when there are more | `backend.unreachable` | `backend.timeout`
 * @see docs/contracts/README.md section 1; docs/contracts/reposerver-keyserver.md section 3.2
 */
export async function readAllComments(
  relay: Pick<Relay, "send">,
  call: BackendCall,
  request: RelayRequest,
): Promise<RelayReply> {
  const comments: z.infer<typeof Listed> = [];
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const reply = await relay.send(call, { ...request, path: pathOf(request.path, comments.length) });
    if (reply.status !== 200) return reply;
    const bytes = await bounded(reply.body);
    const said = jsonOf(bytes);
    if (Listed.safeParse(said).success) return { ...reply, body: Readable.from([bytes]) };
    const parsed = Page.safeParse(said);
    if (!parsed.success) throw senseless("The image repository's comments are of no known form.");
    comments.push(...parsed.data.values);
    if (parsed.data.values.length === 0 || comments.length >= parsed.data.total) {
      const whole = Buffer.from(JSON.stringify(comments));
      const headers = { ...reply.headers, "content-length": String(whole.length) };
      return { status: 200, headers, body: Readable.from([whole]) };
    }
  }
  throw senseless(
    `The image repository has more than ${MAX_PAGES * PAGE} comments. Ask for pages, by offset and limit.`,
  );
}

/** One of generation [A] knows no pages, and answers with all. A page that is clamped to fewer is made up for by the next offset. */
function pathOf(path: string, offset: number): string {
  const url = new URL(path, "http://reposerver");
  url.searchParams.set("offset", String(offset));
  url.searchParams.set("limit", String(PAGE));
  return `${url.pathname}${url.search}`;
}

async function bounded(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_PAGE_BYTES) throw senseless("The image repository's comments are too long to be right.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return null; // of no known form
  }
}

function senseless(message: string): AppError {
  return new AppError("backend.invalid_reply", message, { context: { service: "reposerver" } });
}
