import type { TLSSocket } from "node:tls";
import { isAppError } from "#lib/errors/app-error.ts";
import { type CertificateFacts, parseCertificate } from "#lib/pki/certificates.ts";
import { createBoundedMap } from "./bounded-map.ts";

/** Who is at the other end: as much as the handshake proves, which is possession of the leaf's key and no more. */
export type Peer = {
  readonly leaf: CertificateFacts | "malformed" | null;
  readonly address: string;
};

/** Facts of exactly these bytes, by their SHA-256: reading a certificate costs more than the rest of a handshake, and devices come again. */
const leaves = createBoundedMap<CertificateFacts>(5_000);

/**
 * Reads the peer's certificate, once a connection: renegotiation is off, so it cannot change.
 *
 * What the client sends as its chain is not looked at.
 */
export function readPeer(socket: TLSSocket): Peer {
  return { leaf: readLeaf(socket), address: addressOf(socket) };
}

export function addressOf(socket: TLSSocket): string {
  return (socket.remoteAddress ?? "unknown").replace(/^::ffff:/, "");
}

function readLeaf(socket: TLSSocket): Peer["leaf"] {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return null;
  const { fingerprint256 } = certificate;
  const remembered = leaves.get(fingerprint256);
  if (remembered !== undefined) return remembered;
  try {
    const leaf = parseCertificate(certificate.raw);
    leaves.set(fingerprint256, leaf);
    return leaf;
  } catch (error) {
    if (isAppError(error)) return "malformed";
    throw error;
  }
}
