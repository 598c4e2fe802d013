import { execFile } from "node:child_process";
import { randomUUID, X509Certificate } from "node:crypto";
import { promisify } from "node:util";
import type { System } from "#tests/harness/system.ts";
import type { OpensslFolder } from "#tests/pki/openssl.ts";

const run = promisify(execFile);

/** A device that has openssl and curl, and nothing of ours. */
export type BareDevice = {
  readonly uuid: string;
  /** Its fingerprint as the console's addresses have it. */
  fingerprint(certificate: string): string;
  /** What the device door says to a request with this certificate. */
  visit(certificate: string): Promise<number>;
  /** Asks for the next certificate with the present one, by EST. @returns the reply's status */
  renew(present: string, next: string): Promise<number>;
};

/** Keeps its files in `folder`, each certificate `<name>.pem` beside its `<name>.key`; trusts what the door's `cacerts` gave it. */
export async function bareDevice(system: System, folder: OpensslFolder): Promise<BareDevice> {
  const uuid = randomUUID();
  const est = `${system.door.url}/.well-known/est`;
  const curl = async (...args: string[]) => {
    const { stdout } = await run("curl", ["-sS", "-w", "%{http_code}", ...args], { cwd: folder.path });
    return Number(stdout);
  };
  await curl("-k", "-o", "root.b64", `${est}/cacerts`);
  folder.run("base64 -d -in root.b64 -out root.p7");
  folder.run("pkcs7 -inform DER -in root.p7 -print_certs -out root.crt");
  const as = (name: string) => ["--cacert", "root.crt", "--cert", `${name}.pem`, "--key", `${name}.key`];
  return {
    uuid,
    fingerprint: (name) =>
      new X509Certificate(folder.read(`${name}.pem`)).fingerprint256.replaceAll(":", "").toLowerCase(),
    visit: (name) => curl(...as(name), "-o", "/dev/null", `${system.door.url}/director/1.root.json`),
    async renew(present, next) {
      const how = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
      folder.run(`req -new ${how} -keyout ${next}.key -subj /CN=${uuid} -outform DER -out ${next}.der`);
      folder.run(`base64 -in ${next}.der -out ${next}.csr`);
      const body = ["-H", "content-type: application/pkcs10", "--data-binary", `@${next}.csr`];
      const status = await curl(...as(present), ...body, "-o", `${next}.b64`, `${est}/simplereenroll`);
      if (status !== 200) return status;
      folder.run(`base64 -d -in ${next}.b64 -out ${next}.p7`);
      folder.run(`pkcs7 -inform DER -in ${next}.p7 -print_certs -out ${next}.pem`);
      return status;
    },
  };
}
