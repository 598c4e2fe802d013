import { hashSecretText } from "#lib/auth/secret-text.ts";
import type { ToolScope } from "#lib/authz/tool-scopes.ts";
import type { Ctx } from "#lib/ctx.ts";
import { isSameHash } from "#lib/keys/master-key.ts";
import { isFrom } from "#lib/pki/admission.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import type { MachineClientRow } from "#services/accounts/service.ts";
import type { AccessTokens } from "./access-tokens.ts";
import type { AttemptLimiter } from "./attempt-limiter.ts";
import type { ClientBook, ClientKey } from "./client-book.ts";

/** What a request shows to prove who sends it. */
export type Shown = {
  readonly authorization: string | undefined;
  /** The TLS client certificate, whose key the handshake proved. */
  readonly leaf: CertificateFacts | "malformed" | null;
  readonly address: string;
};

/** A machine client that counts now, with what it may do in this request. */
export type ToolsIdentity = {
  readonly client: MachineClientRow;
  readonly scopes: readonly ToolScope[];
};

/**
 * "unknown": wrong, revoked, expired; told apart in the log only, so that guessing learns nothing. "elsewhere": a client that counts, from
 * an address that is in none of its networks.
 */
export type ToolsVerdict = ToolsIdentity | "nobody" | "unknown" | "elsewhere" | "unavailable" | "too_many";

export type ToolsAuth = {
  readonly ctx: Ctx;
  readonly book: ClientBook;
  readonly tokens: AccessTokens;
  /** Counts failures by address. */
  readonly failures: AttemptLimiter;
};

const CLIENT_ID = /^[A-Za-z0-9._-]{1,100}$/;
const MAX_SECRET_CHARACTERS = 200;

/**
 * Judges a request by its access token, or by HTTP Basic with client id and secret, or by its client certificate; in this
 * order, and never by the next one when the one before is wrong.
 *
 * @see docs/contracts/aktualizr-client.md section 10 (the order in which garage-push chooses)
 */
export async function authenticate(auth: ToolsAuth, shown: Shown): Promise<ToolsVerdict> {
  const { authorization, leaf, address } = shown;
  if (authorization !== undefined) {
    const bearer = /^bearer +([A-Za-z0-9._~+/=-]+)$/i.exec(authorization)?.[1];
    if (bearer !== undefined) return fromItsNetworks(await byToken(auth, bearer), address);
    const basic = readBasic(authorization);
    return basic === null ? "unknown" : authenticateClient(auth, { ...basic, address });
  }
  if (leaf === null) return "nobody";
  return leaf === "malformed" ? "unknown" : fromItsNetworks(await byCertificate(auth, leaf, address), address);
}

/** Client id and secret, from HTTP Basic or the body of a token request. */
export async function authenticateClient(
  auth: ToolsAuth,
  given: { clientId: string; secret: string; address: string },
): Promise<ToolsVerdict> {
  const { clientId, secret, address } = given;
  const verdict = await limited(auth, address, async () => {
    if (!CLIENT_ID.test(clientId) || secret.length > MAX_SECRET_CHARACTERS) return "unknown";
    const found = await countingClient(auth, { clientId });
    if (typeof found === "string") return found;
    return isSameHash(found.client.secretHash, hashSecretText(secret)) ? found : "unknown";
  });
  return fromItsNetworks(verdict, address);
}

/** Asked last: only who has proved to be the client learns that it may not come from here. */
function fromItsNetworks(verdict: ToolsVerdict, address: string): ToolsVerdict {
  if (typeof verdict === "string" || isFrom(verdict.client.sourceNetworks, address)) return verdict;
  return "elsewhere";
}

/** The id and secret of an `Authorization: Basic`; null for any other. */
export function readBasic(authorization: string): { clientId: string; secret: string } | null {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1];
  if (encoded === undefined || encoded.length > 1_000) return null;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? null : { clientId: text.slice(0, colon), secret: text.slice(colon + 1) };
}

async function byToken(auth: ToolsAuth, token: string): Promise<ToolsVerdict> {
  // Nothing is asked of the database for a token that we did not sign, so these need no limit.
  const said = await auth.tokens.verify(token);
  if (said === null) return "unknown";
  const found = await countingClient(auth, { clientId: said.clientId });
  if (typeof found === "string") return found;
  return { client: found.client, scopes: found.scopes.filter((scope) => said.scopes.includes(scope)) };
}

function byCertificate(auth: ToolsAuth, leaf: CertificateFacts, address: string): Promise<ToolsVerdict> {
  return limited(auth, address, async () => {
    const now = auth.ctx.clock();
    if (leaf.notBefore > now || leaf.notAfter <= now) return "unknown";
    return countingClient(auth, { certificateFingerprint: leaf.fingerprint });
  });
}

async function countingClient(auth: ToolsAuth, key: ClientKey): Promise<ToolsIdentity | "unknown" | "unavailable"> {
  const client = await auth.book.find(key);
  if (client === "unavailable") return client;
  return client !== null && doesCount(client, auth.ctx.clock()) ? { client, scopes: client.scopes } : "unknown";
}

/** Neither revoked nor expired. */
export function doesCount(client: MachineClientRow, now: Date): boolean {
  return client.revokedAt === null && (client.expiresAt === null || client.expiresAt > now);
}

async function limited(auth: ToolsAuth, address: string, judge: () => Promise<ToolsVerdict>): Promise<ToolsVerdict> {
  if (!auth.failures.isOpen(address)) return "too_many";
  const verdict = await judge();
  if (verdict === "unknown") auth.failures.count(address);
  return verdict;
}
