import type { EnrolmentHandout, EstAddress } from "#lib/contracts/console/enrolment.ts";
import type { Ctx } from "#lib/ctx.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { loadDoorRootPem } from "#services/authorities/service.ts";

/** Where devices enrol, and what they check the address by. */
export async function readEstAddress(ctx: Ctx): Promise<EstAddress> {
  const serverCaPem = await loadDoorRootPem(ctx);
  const [first = serverCaPem] = certificatesIn(serverCaPem);
  return {
    url: `${ctx.config.gatewayUrl.replace(/\/+$/, "")}/.well-known/est`,
    serverCaPem,
    serverCaSha256: parseCertificate(first).fingerprint,
  };
}

/** The certificates of a PEM text, one by one. */
export function certificatesIn(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

/** The secret in the forms in which it goes to a device. */
export function handoutOf(address: EstAddress, secret: string): EnrolmentHandout {
  const { url, serverCaSha256 } = address;
  return {
    secret,
    command: commandOf(address, secret),
    qrText: JSON.stringify({ est: url, token: secret, caSha256: serverCaSha256 }),
  };
}

/**
 * One line for a POSIX shell with openssl and curl: makes a key that never leaves the device, asks for its certificate, and keeps both in
 * the folder `gatehouse`. Started again it uses the same key, and so costs no second use when only the reply was lost.
 *
 * The secret is told to curl by its standard input, so that no list of processes shows it.
 */
function commandOf({ url, serverCaPem }: EstAddress, secret: string): string {
  const pemLines = certificatesIn(serverCaPem).flatMap((pem) => pem.split("\n"));
  return [
    "umask 077 && mkdir -p gatehouse && cd gatehouse",
    `printf '%s\\n' ${pemLines.map(quoted).join(" ")} > server-ca.pem`,
    "{ [ -s device.key ] || openssl ecparam -name prime256v1 -genkey -noout -out device.key; }",
    'openssl req -new -sha256 -key device.key -subj "/CN=$(hostname)" -outform DER -out device.csr',
    "openssl base64 -in device.csr -out device.csr.b64",
    `printf 'user = "%s:%s"\\n' "$(hostname)" ${quoted(secret)} | curl ${CURL_OPTIONS} ${quoted(`${url}/simpleenroll`)}`,
    "{ openssl base64 -d -in reply -out reply.p7 && openssl pkcs7 -inform DER -in reply.p7 -print_certs -out device.pem || { cat reply; false; }; }",
  ].join(" && ");
}

const CURL_OPTIONS =
  "-sS -K - --cacert server-ca.pem -H 'Content-Type: application/pkcs10' --data-binary @device.csr.b64 -o reply";

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
