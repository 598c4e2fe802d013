import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GET as getFile } from "#app/pki/[file]/route.ts";
import { GET as getAnswer } from "#app/pki/ocsp/[...question]/route.ts";
import { POST as postQuestion } from "#app/pki/ocsp/route.ts";
import type { Ctx } from "#lib/ctx.ts";
import { requestCtx } from "#lib/data/context.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { readCrl } from "#lib/pki/crl.ts";
import { ocspError } from "#lib/pki/ocsp.ts";
import { listRevokingAuthorities } from "#services/authorities/service.ts";
import { MOST_QUESTIONS } from "#services/revocation/ocsp.ts";
import { answerOcsp, createOcspMemory, publishCrls } from "#services/revocation/service.ts";
import { startTestConsole, type TestConsole } from "#tests/harness/console.ts";
import { serveRoutes } from "#tests/harness/console-http.ts";
import { addLeaf, type KnownLeaf, setState } from "#tests/harness/revocation.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

let test: TestConsole;
let ctx: Ctx;
let server: { url: string; close(): Promise<void> };
let folder: OpensslFolder;
let leaf: KnownLeaf;

beforeAll(async () => {
  test = await startTestConsole();
  ctx = requestCtx(test.console, crypto.randomUUID());
  server = await serveRoutes(test, (method, pathname) => {
    if (pathname === "/pki/ocsp") return method === "POST" ? postQuestion : undefined;
    if (pathname.startsWith("/pki/ocsp/")) return method === "GET" ? getAnswer : undefined;
    return pathname.startsWith("/pki/") ? getFile : undefined;
  });
  folder = openssl();
  leaf = await addLeaf(ctx);
  folder.write("leaf.pem", leaf.pem);
  await save(`${leaf.authorityId}.crt`, "ca.der");
  folder.run("x509 -inform DER -in ca.der -out ca.pem");
}, 30_000);
afterAll(async () => {
  await server.close();
  await test.drop();
  folder.remove();
});

async function save(file: string, name: string): Promise<Response> {
  const reply = await fetch(`${server.url}/pki/${file}`);
  expect(reply.status).toBe(200);
  writeFileSync(join(folder.path, name), Buffer.from(await reply.arrayBuffer()));
  return reply;
}

/** What openssl makes of a certificate with the list that is published now. */
async function byList(name = "leaf.pem"): Promise<string> {
  await save(`${leaf.authorityId}.crl`, "list.crl");
  folder.run("crl -inform DER -in list.crl -out list.pem");
  return folder.tell(`verify -crl_check -CAfile ca.pem -CRLfile list.pem ${name}`);
}

const byOcsp = (args = "") =>
  folder.talk(`ocsp -issuer ca.pem -cert leaf.pem -url ${server.url}/pki/ocsp -CAfile ca.pem${args}`);

describe("what an authority publishes", () => {
  it("follows each decision, in the list and in the answer alike", async () => {
    const story: [Parameters<typeof setState>[2], RegExp, RegExp][] = [
      [{ state: "allowed" }, /leaf\.pem: OK/, /leaf\.pem: good/],
      [{ state: "held" }, /revoked/, /leaf\.pem: revoked[\s\S]*certificateHold/],
      [{ state: "allowed" }, /leaf\.pem: OK/, /leaf\.pem: good/],
      [{ state: "allowed", graceUntil: new Date(Date.now() - 1_000) }, /revoked/, /revoked[\s\S]*superseded/],
      [{ state: "pending", graceUntil: null }, /leaf\.pem: OK/, /leaf\.pem: good/],
      [{ state: "rejected" }, /revoked/, /leaf\.pem: revoked[\s\S]*Reason:/],
      [{ state: "revoked", revocationReason: "keyCompromise" }, /revoked/, /revoked[\s\S]*keyCompromise/],
    ];
    let number = 0n;
    for (const [change, list, answer] of story) {
      await setState(ctx, leaf, change);
      await publishCrls(ctx, [leaf.facts.fingerprint]);
      expect(await byList()).toMatch(list);
      for (const args of ["", " -no_nonce"]) {
        const printed = await byOcsp(args);
        expect(printed).toContain("Response verify OK");
        expect(printed).toMatch(answer);
      }
      const { number: next } = readCrl(await published());
      expect(next).toBeGreaterThan(number);
      number = next;
    }
  }, 30_000);

  it("stands in the certificates that the authority signs", () => {
    const text = folder.run("x509 -in leaf.pem -noout -text");
    const base = ctx.config.pkiUrl;
    for (const url of [`${base}/${leaf.authorityId}.crl`, `${base}/${leaf.authorityId}.crt`, `${base}/ocsp`]) {
      expect(text).toContain(`URI:${url}`);
    }
  });

  it("needs no sign-in, sets no cookie and tells caches what to keep", async () => {
    const list = await fetch(`${server.url}/pki/${leaf.authorityId}.crl`);
    expect(list.headers.get("content-type")).toBe("application/pkix-crl");
    expect(list.headers.get("cache-control")).toMatch(/^public,.*max-age=\d+$/);
    expect(Date.parse(list.headers.get("last-modified") ?? "")).toBeLessThanOrEqual(Date.now());
    expect(list.headers.get("set-cookie")).toBeNull();
    const etag = list.headers.get("etag") ?? "";
    const again = await fetch(list.url, { headers: { "if-none-match": etag } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
  });

  it("answers a GET that caches may keep, with the same signature, and never keeps one with a nonce", async () => {
    const url = (args: string) => {
      folder.run(`ocsp -issuer ca.pem -cert leaf.pem${args} -reqout req.der`);
      return `${server.url}/pki/ocsp/${encodeURIComponent(readBase64("req.der"))}`;
    };
    const [first, second] = [await fetch(url(" -no_nonce")), await fetch(url(" -no_nonce"))];
    expect(first.headers.get("content-type")).toBe("application/ocsp-response");
    expect(first.headers.get("cache-control")).toMatch(/max-age=[1-9]/);
    expect(first.headers.get("expires")).not.toBeNull();
    expect(first.headers.get("etag")).toBe(second.headers.get("etag"));
    expect(await first.bytes()).toEqual(await second.bytes());
    expect((await fetch(url(""))).headers.get("cache-control")).toBe("no-store");
  });

  it("answers what is no question, or nobody's here, without a signature", async () => {
    const ask = async (body: Buffer<ArrayBuffer>) => {
      const reply = await fetch(`${server.url}/pki/ocsp`, { method: "POST", body });
      return [reply.status, Buffer.from(await reply.arrayBuffer()).toString("hex")];
    };
    const malformedRequest = [200, "30030a0101"];
    expect(await ask(Buffer.from("no question"))).toEqual(malformedRequest);
    expect(await ask(Buffer.alloc(10_241))).toEqual(malformedRequest);
    const get = await fetch(`${server.url}/pki/ocsp/not%20base64`);
    expect(Buffer.from(await get.arrayBuffer()).toString("hex")).toBe("30030a0101");
    const stranger = await createSoftwareCa();
    folder.write("stranger.pem", stranger.pem);
    folder.run("ocsp -issuer stranger.pem -serial 0x01 -reqout req.der");
    expect(await ask(Buffer.from(readBase64("req.der"), "base64"))).toEqual([200, "30030a0106"]);
    expect(await byOcsp(" -serial 0x77")).toMatch(/0x77: unknown/);
  });

  it("reads an authority's certificate once, however much a stranger asks", async () => {
    const memory = createOcspMemory();
    const twenty = Array.from({ length: 20 }, (_, serial) => `-serial 0x${serial + 1}`).join(" ");
    folder.run(`ocsp -issuer ca.pem ${twenty} -reqout req.der`);
    const question = Buffer.from(readBase64("req.der"), "base64");
    await Promise.all([1, 2, 3].map(() => answerOcsp(ctx, memory, question)));
    const { length: authorities } = await listRevokingAuthorities(ctx);
    expect(memory.digests.size).toBe(authorities);
  });

  it("answers as many questions at once as it can, and tells the others to try later", async () => {
    folder.run("ocsp -issuer ca.pem -cert leaf.pem -reqout req.der");
    const question = Buffer.from(readBase64("req.der"), "base64");
    const memory = createOcspMemory();
    const asked = Array.from({ length: MOST_QUESTIONS + 3 }, () => answerOcsp(ctx, memory, question));
    const tryLater = (await Promise.all(asked)).filter(({ der }) => der.equals(ocspError("tryLater")));
    expect(tryLater).toHaveLength(3);
    expect((await answerOcsp(ctx, memory, question)).der.length).toBeGreaterThan(100);
  });

  it("has nothing of authorities that are only recognised, of others or of none", async () => {
    const { certificate } = await createSoftwareCa({ commonName: "Recognised CA" });
    const id = await addAuthority(ctx, certificate);
    const reply = await fetch(`${server.url}/pki/${id}.crl`);
    expect(reply.status).toBe(404);
    expect(await reply.json()).toMatchObject({ code: "authority.not_found" });
    expect(parseCertificate(await (await fetch(`${server.url}/pki/${id}.crt`)).bytes()).fingerprint).toBe(
      certificate.fingerprint,
    );
    for (const file of [`${crypto.randomUUID()}.crl`, "..crl", `${id}.key`, `${id}`, `${leaf.authorityId}-delta.crl`]) {
      expect((await fetch(`${server.url}/pki/${file}`)).status).toBe(404);
    }
  });
});

async function published(): Promise<Buffer> {
  return Buffer.from(await (await fetch(`${server.url}/pki/${leaf.authorityId}.crl`)).arrayBuffer());
}

function readBase64(name: string): string {
  return folder.run(`base64 -A -in ${name}`).trim();
}
