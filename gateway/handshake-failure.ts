import type { HandshakeCode } from "#lib/domain/refusals.ts";

export type HandshakeFailure = { readonly code: HandshakeCode; readonly sentence: string };

/**
 * Why a handshake at a door failed, as far as OpenSSL tells. The client is told by a TLS alert at most; the sentence is for people.
 *
 * @param errorCode of the error that Node gives `tlsClientError`
 * @returns null for a connection that went away before it asked for anything: health checks and port scans do that
 */
export function handshakeFailureOf(errorCode: string | undefined): HandshakeFailure | null {
  if (errorCode === undefined || BROKEN_OFF.has(errorCode)) return null;
  const code = CODES[errorCode] ?? (NOT_TRUSTED.test(errorCode) ? "door_not_trusted" : "tls_failed");
  const named = code === "tls_failed" ? ` (${/^[A-Z0-9_]{1,60}$/.exec(errorCode)?.[0] ?? "unknown"})` : "";
  return { code, sentence: `${SENTENCES[code]}${named}.` };
}

const BROKEN_OFF: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT", "ECONNABORTED"]);

const CODES: Readonly<Record<string, HandshakeCode>> = {
  ERR_SSL_UNSUPPORTED_PROTOCOL: "tls_too_old",
  ERR_SSL_VERSION_TOO_LOW: "tls_too_old",
  ERR_SSL_WRONG_SSL_VERSION: "tls_too_old",
  ERR_SSL_NO_SHARED_CIPHER: "tls_no_shared_cipher",
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: "tls_no_shared_cipher",
  ERR_SSL_HTTP_REQUEST: "plain_http",
  ERR_SSL_HTTPS_PROXY_REQUEST: "plain_http",
  ERR_SSL_WRONG_VERSION_NUMBER: "not_tls",
  ERR_SSL_BAD_SIGNATURE: "key_unusable",
  ERR_SSL_WRONG_CURVE: "key_unusable",
  ERR_SSL_WRONG_SIGNATURE_TYPE: "key_unusable",
  ERR_SSL_WRONG_SIGNATURE_SIZE: "key_unusable",
  ERR_SSL_EE_KEY_TOO_SMALL: "key_unusable",
  ERR_SSL_BAD_ECPOINT: "key_unusable",
  ERR_SSL_UNABLE_TO_FIND_PUBLIC_KEY_PARAMETERS: "key_unusable",
  ERR_SSL_UNKNOWN_CERTIFICATE_TYPE: "key_unusable",
  ERR_SSL_SIGNATURE_FOR_NON_SIGNING_CERTIFICATE: "key_unusable",
};

/** Alerts with which a client turns the door's certificate down. @see RFC 8446 section 6.2 */
const NOT_TRUSTED =
  /_ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_(EXPIRED|REVOKED|UNKNOWN)|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)$/;

const SENTENCES = {
  tls_too_old: "The client offered nothing newer than TLS 1.1",
  tls_no_shared_cipher: "The client offered no cipher suite that is used here",
  plain_http: "The client spoke plain HTTP, and this port speaks TLS",
  not_tls: "The client spoke no TLS",
  door_not_trusted: "The client did not accept the door's certificate",
  key_unusable: "The client could not prove possession of its key",
  tls_failed: "The handshake failed",
} as const satisfies Record<HandshakeCode, string>;
