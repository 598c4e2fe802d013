import type { CredentialBundle } from "#lib/contracts/console/devices.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";

/**
 * The files a device needs, as text.
 *
 * @see contracts/gateway.md section 5 step 3; contracts/aktualizr-client.md section 2a (all three PEM files must be there; the
 *   gateway address has no trailing slash, or every path would have two)
 */
export function credentialBundle(made: {
  certificate: CertificateFacts;
  deviceUuid: string;
  certificatePem: string;
  privateKeyPem: string;
  rootPem: string;
  gatewayUrl: string;
  hardwareId: string;
}): CredentialBundle {
  return {
    uuid: made.deviceUuid,
    fingerprint: made.certificate.fingerprint,
    notAfter: made.certificate.notAfter.toISOString(),
    files: {
      "pkey.pem": made.privateKeyPem,
      "client.pem": made.certificatePem,
      "root.crt": made.rootPem,
      "gateway.url": made.gatewayUrl.replace(/\/+$/, ""),
      "sota.toml": sotaToml(made.hardwareId),
    },
  };
}

/**
 * aktualizr reads its configuration with an INI parser that only strips the quotes around a value: nothing can be escaped.
 *
 * @throws AppError `request.invalid`
 */
export function assertTomlSafe(hardwareId: string): void {
  if (!/["\\]/.test(hardwareId)) return;
  throw new AppError(
    "request.invalid",
    "A hardware id may not contain quotes or backslashes: sota.toml can't hold them.",
  );
}

function sotaToml(hardwareId: string): string {
  return `# Configuration of aktualizr. Put the five files of this folder into /var/sota/import on the device,
# and this one also into /etc/sota/conf.d.

[tls]
server_url_path = "/var/sota/import/gateway.url"

[provision]
mode = "DeviceCred"
primary_ecu_hardware_id = "${hardwareId}"

[import]
base_path = "/var/sota/import"
tls_cacert_path = "root.crt"
tls_clientcert_path = "client.pem"
tls_pkey_path = "pkey.pem"

[pacman]
type = "none"
`;
}
