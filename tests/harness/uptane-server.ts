import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import type { CredentialFiles } from "#device/credentials.ts";
import { createServerCa, issueServerCertificate, openIssuingCa } from "#lib/pki/issue.ts";
import { plainCanonical } from "#tests/harness/uptane-documents.ts";
import { createUptaneRepository, type UptaneRepository } from "#tests/harness/uptane-repository.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

export type RecordedRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Counts TLS connections, from 1. */
  readonly connection: number;
};

type Handler = (res: ServerResponse, request: RecordedRequest) => void;

/** A gateway with mutual TLS that accepts everything, serves the repositories, and keeps what it was asked. */
export type UptaneServer = {
  readonly url: string;
  /** Credentials of a device that this server lets in. */
  readonly files: CredentialFiles;
  readonly repository: UptaneRepository;
  readonly requests: RecordedRequest[];
  /** "METHOD /path" of what came since the last call. */
  takeLines(): string[];
  /** Bodies of all requests so far with this method and path. */
  bodies(method: string, path: string): Buffer[];
  /** Answers the next `times` requests of that line with a status, or in a way of its own. */
  answer(line: string, reply: number | Handler, times?: number): void;
  close(): Promise<void>;
};

export async function startUptaneServer(): Promise<UptaneServer> {
  const now = new Date();
  const [serverCa, fleetCa] = await Promise.all([
    createServerCa({ commonName: "Test server CA", now }),
    createSoftwareCa(),
  ]);
  const ca = openIssuingCa(serverCa.certificate, serverCa.privateKeyPem);
  const [door, device] = await Promise.all([
    issueServerCertificate({ ca, names: ["127.0.0.1"], now }),
    fleetCa.issue(),
  ]);
  const repository = createUptaneRepository();
  const requests: RecordedRequest[] = [];
  const overrides: { line: string; handle: Handler; left: number }[] = [];
  let taken = 0;
  const server = createServer(
    {
      key: door.privateKeyPem,
      cert: door.certificatePem,
      ca: fleetCa.pem,
      requestCert: true,
      rejectUnauthorized: true,
    },
    (req, res) => void respond(req, res),
  );
  const connectionOf = countConnections(server);

  async function respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(Buffer.from(chunk));
    const { method = "", url = "", headers } = req;
    const request = { method, path: url, headers, body: Buffer.concat(chunks), connection: connectionOf(req) };
    requests.push(request);
    const override = overrides.find(({ line, left }) => line === `${method} ${url}` && left > 0);
    if (override === undefined) serve(repository, request, res);
    else {
      override.left -= 1;
      override.handle(res, request);
    }
  }

  const url = `https://127.0.0.1:${await listening(server)}`;
  return {
    url,
    files: {
      "pkey.pem": device.privateKeyPem,
      "client.pem": device.pem,
      "root.crt": serverCa.certificatePem,
      "gateway.url": `${url}\n`,
    },
    repository,
    requests,
    takeLines() {
      const lines = requests.slice(taken).map(({ method, path }) => `${method} ${path}`);
      taken = requests.length;
      return lines;
    },
    bodies: (method, path) =>
      requests.filter((one) => one.method === method && one.path === path).map((one) => one.body),
    answer(line, reply, times = 1) {
      const handle: Handler = typeof reply === "number" ? (res) => res.writeHead(reply).end() : reply;
      overrides.push({ line, handle, left: times });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Sends an image from the offset that a Range header asks for. */
export function sendImage(res: ServerResponse, content: Buffer, range: string | undefined): void {
  const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? "0");
  if (range === undefined) res.writeHead(200, { "content-length": content.length }).end(content);
  else {
    const contentRange = `bytes ${from}-${content.length - 1}/${content.length}`;
    res.writeHead(206, { "content-length": content.length - from, "content-range": contentRange });
    res.end(content.subarray(from));
  }
}

function serve(repository: UptaneRepository, { method, path, headers }: RecordedRequest, res: ServerResponse): void {
  if (method !== "GET") {
    res.writeHead(method === "POST" && path === "/director/ecus" ? 201 : 200).end();
    return;
  }
  const document = repository.documents.get(path);
  const image = repository.images.get(decodeURIComponent(path.replace("/repo/targets/", "")));
  if (document !== undefined) res.writeHead(200, { "content-type": "application/json" }).end(plainCanonical(document));
  else if (image !== undefined) sendImage(res, image.content, headers.range);
  else res.writeHead(404).end();
}

function countConnections(server: Server): (req: IncomingMessage) => number {
  const numbers = new WeakMap<object, number>();
  let count = 0;
  server.on("secureConnection", (socket: TLSSocket) => {
    count += 1;
    numbers.set(socket, count);
  });
  return (req) => numbers.get(req.socket) ?? 0;
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
