import { createHash } from "node:crypto";
import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import { answerDevice, type Deployments } from "./devices.ts";
import type { Exchange } from "./exchange.ts";
import { answerManagement } from "./management.ts";
import { createMenderState, type MenderState } from "./state.ts";

export type MenderDouble = {
  readonly url: string;
  readonly state: MenderState;
  readonly deployments: Deployments;
  /** Every request as it arrived, "METHOD path", with headers and exact body. */
  readonly requests: { line: string; url: string; headers: http.IncomingHttpHeaders; body: Buffer }[];
  /** Answers that a test wants for "METHOD path", whatever the contract says of it. */
  readonly scripted: Map<string, { status: number; headers?: http.OutgoingHttpHeaders; body?: Buffer }>;
  /** Bytes to download, by path. */
  readonly artifacts: Map<string, Buffer>;
  /** How many calls of this method and path there were. */
  count(line: string): number;
  /** How many WebSockets are open. */
  openSockets(): number;
  close(): Promise<void>;
};

/** A Mender server as its contract says, in memory, on a port of its own. @param tls its certificate, for an HTTPS server */
export async function startMenderDouble(tls?: { cert: string; key: string }): Promise<MenderDouble> {
  const state = createMenderState();
  const deployments: Deployments = { offered: null, statuses: [], logs: [], inventories: [], aborted: new Set() };
  const requests: MenderDouble["requests"] = [];
  const artifacts = new Map<string, Buffer>();
  const scripted: MenderDouble["scripted"] = new Map();
  const upgraded = new Set<Socket>();
  const onRequest: http.RequestListener = (req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const url = new URL(req.url ?? "", "http://mender");
      const body = Buffer.concat(chunks);
      const exchange: Exchange = { req, res, path: url.pathname, query: url.searchParams, body };
      requests.push({ line: `${req.method} ${url.pathname}`, url: req.url ?? "", headers: req.headers, body });
      const artifact = artifacts.get(url.pathname);
      const script = scripted.get(`${req.method} ${url.pathname}`);
      if (script !== undefined) res.writeHead(script.status, script.headers).end(script.body);
      else if (artifact !== undefined) sendArtifact(exchange, artifact);
      else if (url.pathname.startsWith("/api/devices/")) answerDevice(state, deployments, exchange);
      else void answerManagement(state, exchange);
    });
  };
  const server = tls === undefined ? http.createServer(onRequest) : https.createServer(tls, onRequest);
  server.on("upgrade", (req: http.IncomingMessage, socket: Socket, head: Buffer) => {
    requests.push({ line: `UPGRADE ${req.url}`, url: req.url ?? "", headers: req.headers, body: head });
    upgraded.add(socket);
    socket.once("close", () => upgraded.delete(socket));
    socket.on("error", () => socket.destroy());
    acceptWebSocket(state, req, socket, head);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    state,
    deployments,
    requests,
    artifacts,
    scripted,
    openSockets: () => upgraded.size,
    count: (line) => requests.filter((request) => request.line === line).length,
    close: () =>
      new Promise((done) => {
        for (const socket of upgraded) socket.destroy();
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** The object storage: Content-Length always, ranges by 206. */
function sendArtifact({ req, res }: Exchange, bytes: Buffer): void {
  const [, from] = /^bytes=(\d+)-$/.exec(req.headers.range ?? "") ?? [];
  if (from === undefined) {
    res.writeHead(200, { "content-type": "application/vnd.mender-artifact", "content-length": bytes.length });
    res.end(bytes);
    return;
  }
  const part = bytes.subarray(Number(from));
  res.writeHead(206, {
    "content-length": part.length,
    "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
  });
  res.end(part);
}

/** deviceconnect: what comes goes back, once the handshake is over. */
function acceptWebSocket(state: MenderState, req: http.IncomingMessage, socket: Socket, head: Buffer): void {
  const token = /^Bearer (\S+)$/.exec(req.headers.authorization ?? "")?.[1] ?? "";
  const judged = state.judgeDeviceToken(token);
  if (judged !== 200 || req.url !== "/api/devices/v1/deviceconnect/connect") {
    socket.end(`HTTP/1.1 ${judged === 200 ? 404 : judged} No\r\ncontent-length: 0\r\n\r\n`);
    return;
  }
  const accept = createHash("sha1")
    .update(`${req.headers["sec-websocket-key"] ?? ""}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.write(head);
  const { lastWords } = state.knobs;
  if (lastWords === null) socket.pipe(socket);
  else socket.once("data", () => socket.end(lastWords));
}
