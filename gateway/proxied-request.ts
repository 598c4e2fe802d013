import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { isAppError } from "#lib/errors/app-error.ts";
import { type CertificateFacts, parseCertificate } from "#lib/pki/certificates.ts";
import { createBoundedMap } from "./bounded-map.ts";

/** Headers in which a proxy says who asks and for what. What the test of a proxy forges is exactly these. */
export const CERTIFICATE_HEADERS = ["x-original-certificate", "ssl-client-cert"] as const;
export const TEXT_HEADERS = [
  "x-original-fingerprint",
  "x-original-address",
  "x-original-method",
  "x-original-uri",
  "x-original-url",
] as const;

/** How a proxy shows the certificate whose key the client proved to it in TLS. */
export type ShownCertificate =
  | { readonly as: "none" }
  | { readonly as: "leaf"; readonly leaf: CertificateFacts | "malformed" }
  /** SHA-256, lower-case hex: names a certificate that is known here already. */
  | { readonly as: "fingerprint"; readonly fingerprint: string }
  /** Nothing that a proxy set up as the guide says would send. */
  | { readonly as: "nonsense" };

export type ProxiedRequest = {
  readonly secret: string;
  readonly method: string;
  /** As received; null when the proxy wants no path of ours. */
  readonly uri: string | null;
  /** Where the test of a proxy is told by. */
  readonly url: string;
  readonly address: string;
  readonly certificate: ShownCertificate;
  /** Each header of the two lists as often as it came, so that a second one hides behind no first. */
  readonly raw: readonly { readonly name: string; readonly value: string }[];
};

/** Of certificates that came by header; a device asks again and again with the same. */
export type LeafReader = (encoded: string) => CertificateFacts | "malformed";

const REMEMBERED = 2_000;
/** URL encoding makes three characters of one at most. */
const MAX_CHARACTERS = 3 * 32 * 1024;

export function createLeafReader(): LeafReader {
  const known = createBoundedMap<CertificateFacts>(REMEMBERED);
  return (encoded) => {
    const remembered = known.get(encoded);
    if (remembered !== undefined) return remembered;
    if (encoded.length > MAX_CHARACTERS) return "malformed";
    try {
      const leaf = parseCertificate(decodeURIComponent(encoded));
      known.set(encoded, leaf);
      return leaf;
    } catch (error) {
      if (isAppError(error) || error instanceof URIError) return "malformed";
      throw error;
    }
  };
}

/**
 * Reads a proxy's question.
 *
 * Two ways at once of showing a certificate are nonsense: one of them would be the client's own. So is a certificate with
 * `ssl-client-verify: NONE`, since NONE says that the handshake had none. Any other verdict of the proxy counts for nothing:
 * the handshake proves the key, and who may come in is decided here.
 */
export function readProxiedRequest(
  req: Pick<IncomingMessage, "headers" | "rawHeaders">,
  readLeaf: LeafReader,
): ProxiedRequest {
  const one = (name: string) => {
    const value = req.headers[name];
    return typeof value === "string" ? value : "";
  };
  const uri = one("x-original-uri");
  return {
    secret: one("x-gatehouse-decision-secret"),
    method: one("x-original-method"),
    uri: uri === "" ? null : uri,
    url: uri === "" ? one("x-original-url") : uri,
    address: addressOf(one("x-original-address")),
    certificate: shownCertificate(one, readLeaf),
    raw: rawOf(req.rawHeaders),
  };
}

/** One address: whoever says several leaves it open which of them a client wrote. */
function addressOf(text: string): string {
  const address = text.replace(/^::ffff:/i, "");
  return isIP(address) === 0 ? "unknown" : address;
}

function shownCertificate(one: (name: string) => string, readLeaf: LeafReader): ShownCertificate {
  const [certificate, ingress] = CERTIFICATE_HEADERS.map(one);
  const fingerprint = one("x-original-fingerprint");
  const shown = [certificate, ingress, fingerprint].filter((value) => value !== "" && value !== undefined);
  if (shown.length === 0) return { as: "none" };
  if (shown.length > 1) return { as: "nonsense" };
  const verified = one("ssl-client-verify");
  if (verified !== "" && verified !== "SUCCESS" && !verified.startsWith("FAILED")) return { as: "nonsense" };
  if (fingerprint !== "") {
    const digest = fingerprint.replaceAll(":", "").toLowerCase();
    return /^[0-9a-f]{64}$/.test(digest) ? { as: "fingerprint", fingerprint: digest } : { as: "nonsense" };
  }
  if (certificate !== "" && certificate !== undefined) return { as: "leaf", leaf: readLeaf(certificate) };
  // An ingress controller always says what came of the handshake; without that, somebody else wrote the header.
  if (verified === "") return { as: "nonsense" };
  return { as: "leaf", leaf: readLeaf(ingress ?? "") };
}

const READ: ReadonlySet<string> = new Set([...CERTIFICATE_HEADERS, ...TEXT_HEADERS]);

function rawOf(rawHeaders: readonly string[]): ProxiedRequest["raw"] {
  return rawHeaders.flatMap((text, index) => {
    const name = text.toLowerCase();
    return index % 2 === 0 && READ.has(name) ? [{ name, value: rawHeaders[index + 1] ?? "" }] : [];
  });
}
