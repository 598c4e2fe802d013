import { createPrivateKey, randomBytes, sign } from "node:crypto";
import https from "node:https";
import { signedPartOf } from "#lib/pki/der.ts";
import { bits, sequence } from "#lib/pki/der-writer.ts";
import { createSoftwareCa, type SoftwareLeaf } from "#tests/pki/software-ca.ts";

/*
 * A process that comes to a door as strangers, as fast as it can: every connection with a certificate that was never seen. Every second one
 * names an issuer of its own, the others an authority that the install knows. Prints what it was answered, as JSON, when its time is over.
 *
 * node strangers.ts <port> <seconds> <common name of the known authority>
 */

const AT_ONCE = 32;
const [port = "", seconds = "", known = ""] = process.argv.slice(2);
const answers: Record<string, number> = {};

const SERIAL = "7f11223344556677";
const ISSUER = "Stranger 00000000";
const SIGNER = createPrivateKey((await createSoftwareCa()).privateKeyPem);
const unknown = await (await createSoftwareCa({ commonName: ISSUER })).issue({ serialHex: SERIAL });
const namesake = await (await createSoftwareCa({ commonName: known })).issue({ serialHex: SERIAL });

/** Another certificate of the same key: another serial number, another issuer where that is not known anyway, signed anew. */
function variantOf(template: SoftwareLeaf): string {
  const { der } = template.certificate;
  const signedPart = Buffer.from(signedPartOf(der));
  const replace = (what: Buffer, by: Buffer) => {
    const at = signedPart.indexOf(what);
    if (at !== -1) by.copy(signedPart, at);
  };
  const fresh = randomBytes(4).toString("hex");
  replace(Buffer.from(SERIAL, "hex"), Buffer.from(`7f${randomBytes(7).toString("hex")}`, "hex"));
  replace(Buffer.from(ISSUER), Buffer.from(`Stranger ${fresh}`));
  const start = der.indexOf(signedPartOf(der)) + signedPart.length;
  const algorithm = der.subarray(start, start + 2 + (der[start + 1] ?? 0));
  const made = sequence(signedPart, algorithm, bits(sign("sha256", signedPart, SIGNER)));
  return `-----BEGIN CERTIFICATE-----\n${made.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
}

function knock(cert: string, key: string): Promise<string> {
  return new Promise((done) => {
    const options = { host: "127.0.0.1", port: Number(port), path: "/director/targets.json", cert, key };
    const req = https.get({ ...options, agent: false, rejectUnauthorized: false, timeout: 10_000 }, (res) => {
      res.resume();
      res.once("end", () => done(String(res.headers["x-gatehouse-code"] ?? res.statusCode)));
      res.once("error", () => done("broken"));
    });
    req.once("timeout", () => req.destroy(new Error("timeout")));
    req.once("error", () => done("broken"));
  });
}

const until = performance.now() + Number(seconds) * 1_000;
async function come(turn: number): Promise<void> {
  for (let i = turn; performance.now() < until; i++) {
    const template = i % 2 === 0 ? unknown : namesake;
    const answer = await knock(variantOf(template), template.privateKeyPem);
    answers[answer] = (answers[answer] ?? 0) + 1;
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, (_, turn) => come(turn)));
process.stdout.write(JSON.stringify(answers));
