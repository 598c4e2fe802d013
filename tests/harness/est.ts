import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { expect } from "vitest";
import { type CertificateFacts, certificatePem, parseCertificate } from "#lib/pki/certificates.ts";
import type { DoorReplySeen, TestDoor } from "#tests/harness/door.ts";
import type { OpensslFolder } from "#tests/pki/openssl.ts";

const run = promisify(execFile);
export const P256 = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";

export type EstReply = { status: number; code: string | null; text: string; headers: string };

/** A device that has openssl and curl and nothing else: enrolment as implementations that are not ours understand it. */
export type EstClient = {
  /** A key and a request for it, made by openssl; base64 with line breaks. */
  request(name: string, how?: string, subject?: string): void;
  curl(path: string, ...args: string[]): Promise<EstReply>;
  /** Curl's arguments for sending a device's request. */
  post(name: string): string[];
  /** Curl's arguments for showing a device's certificate. */
  as(name: string): string[];
  certificates(reply: EstReply): CertificateFacts[];
  /** Keeps the one certificate of the reply as this device's. */
  save(name: string, reply: EstReply): CertificateFacts;
  /** Enrols a device of this name by token. */
  enrolled(name: string, secret: string): Promise<CertificateFacts>;
  /** What the device door says to a request of this device. */
  visit(name: string): Promise<DoorReplySeen>;
};

export function estClient(door: TestDoor, folder: OpensslFolder): EstClient {
  folder.write("ca.pem", door.rootPem);
  const client: EstClient = {
    request(name, how = P256, subject = `/CN=${name}`) {
      folder.run(`req -new -nodes ${how} -keyout ${name}.key -subj ${subject} -outform DER -out ${name}.der`);
      folder.run(`base64 -in ${name}.der -out ${name}.csr`);
    },
    async curl(path, ...args) {
      const url = `https://localhost:${door.door.port}/.well-known/est/${path}`;
      const { stdout } = await run("curl", ["-sS", "-i", "--cacert", "ca.pem", ...args, url], { cwd: folder.path });
      const end = stdout.indexOf("\r\n\r\n");
      const headers = stdout.slice(0, end).toLowerCase();
      return {
        headers,
        status: Number(/^http\/1\.1 (\d+)/.exec(headers)?.[1]),
        code: /x-gatehouse-code: (\S+)/.exec(headers)?.[1] ?? null,
        text: stdout.slice(end + 4),
      };
    },
    post: (name) => ["-H", "content-type: application/pkcs10", "--data-binary", `@${name}.csr`],
    as: (name) => ["--cert", `${name}.pem`, "--key", `${name}.key`],
    certificates(reply) {
      expect([reply.status, reply.text.slice(0, 80)]).toEqual([200, expect.stringMatching(/^MI/)]);
      const name = randomUUID();
      folder.write(`${name}.b64`, reply.text);
      folder.run(`base64 -d -in ${name}.b64 -out ${name}.p7`);
      const printed = folder.run(`pkcs7 -inform DER -in ${name}.p7 -print_certs`);
      const pems = printed.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
      return pems.map((pem) => parseCertificate(pem));
    },
    save(name, reply) {
      const [leaf, ...more] = client.certificates(reply);
      if (leaf === undefined || more.length > 0) throw new Error("a reply holds exactly the issued certificate");
      folder.write(`${name}.pem`, certificatePem(leaf));
      return leaf;
    },
    async enrolled(name, secret) {
      client.request(name);
      return client.save(name, await client.curl("simpleenroll", "-u", `${name}:${secret}`, ...client.post(name)));
    },
    visit: (name) => door.request({ pem: folder.read(`${name}.pem`), privateKeyPem: folder.read(`${name}.key`) }),
  };
  return client;
}
