import http from "node:http";
import tls from "node:tls";
import type { Shown } from "#tests/pki/zoo.ts";

export const TLS_VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

/** What a visit came to, as tests/pki/zoo.ts words it. */
export type Visited = {
  readonly outcome: string;
  readonly status: number | null;
  readonly sentence: string | null;
  /** Did the server take up the session that was offered? */
  readonly resumed: boolean;
  /** To offer the next time. */
  readonly session: Buffer | null;
};

type Visit = { port: number; rootPem: string; version: TlsVersion; session?: Buffer | null };

/** One request over a connection of its own, from a client that shows whatever it is given, weak or not. */
export function visit(shown: Shown | null, { port, rootPem, version, session }: Visit): Promise<Visited> {
  const nothing = { status: null, sentence: null, resumed: false, session: null };
  return new Promise((done) => {
    let socket: tls.TLSSocket;
    try {
      socket = tls.connect({
        host: "127.0.0.1",
        port,
        servername: "localhost",
        ca: rootPem,
        minVersion: version,
        maxVersion: version,
        ciphers: "DEFAULT:@SECLEVEL=0",
        ...(session == null ? {} : { session }),
        ...(shown === null ? {} : { cert: [shown.pem, ...(shown.chain ?? [])].join(""), key: shown.privateKeyPem }),
      });
    } catch (error) {
      done({ ...nothing, outcome: `client: ${reasonOf(error)}` });
      return;
    }
    let ticket: Buffer | null = null;
    let resumed = false;
    let failure: unknown = null;
    const received: Buffer[] = [];
    socket.setTimeout(15_000, () => socket.destroy(new Error("timeout")));
    socket.on("session", (given) => (ticket = given));
    socket.on("secureConnect", () => {
      resumed = socket.isSessionReused();
      socket.write("GET /director/targets.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    });
    socket.on("data", (chunk: Buffer) => received.push(chunk));
    socket.on("error", (error) => (failure = error));
    socket.on("close", () => {
      const reply = Buffer.concat(received).toString();
      if (reply === "") done({ ...nothing, resumed, outcome: `alert: ${reasonOf(failure)}` });
      else done({ ...read(reply), resumed, session: ticket ?? socket.getSession() ?? null });
    });
  });
}

/** Asks the decision port what nginx asks, about exactly these bytes. */
export function ask(
  shown: Shown | null,
  { port, secret }: { port: number; secret: string },
): Promise<Pick<Visited, "outcome" | "sentence">> {
  const headers = {
    "x-gatehouse-decision-secret": secret,
    "x-original-method": "GET",
    "x-original-uri": "/director/targets.json",
    "x-original-address": "127.0.0.1",
    ...(shown === null ? {} : { "x-original-certificate": encodeURIComponent(shown.pem) }),
  };
  return new Promise((done, fail) => {
    const req = http.get({ host: "127.0.0.1", port, path: "/authorize/devices", headers, agent: false }, (res) => {
      res.resume();
      const { "x-gatehouse-code": code = res.statusCode, "x-gatehouse-reason": reason } = res.headers;
      const sentence = typeof reason === "string" ? reason : null;
      done({ outcome: res.statusCode === 204 ? "let in" : String(code), sentence });
    });
    req.on("error", fail);
  });
}

function read(reply: string): Pick<Visited, "outcome" | "status" | "sentence"> {
  const [head = "", body = ""] = reply.split("\r\n\r\n");
  const status = Number(head.split(" ")[1]);
  const code = /^x-gatehouse-code: (\S+)\r?$/im.exec(head)?.[1];
  const sentence = /"description":"([^"]*)"/.exec(body)?.[1] ?? null;
  if (code !== undefined) return { outcome: code, status, sentence };
  if (status === 200) return { outcome: "let in", status, sentence: null };
  return { outcome: `nginx: ${status}`, status, sentence: null };
}

/** OpenSSL's word for it, without its prefix. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "closed";
  const code = "code" in error ? String(error.code) : error.message;
  return code.replace(/^ERR_SSL_|^ERR_OSSL_(X509_|EVP_|ASN1_)?/, "").toLowerCase();
}
