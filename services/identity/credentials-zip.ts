import { zipSync } from "fflate";
import {
  CREDENTIAL_ENTRIES,
  type CredentialArchive,
  type CredentialEntry,
} from "#lib/contracts/console/credentials.ts";

/** On Unix: who unpacks it reads it, nobody else. */
const UNIX = 3;
const OWNER_ONLY = 0o100600 * 0x10000;

/**
 * A credentials.zip. Its entries stand in it uncompressed, as every reader takes them; the clients look them up by name.
 *
 * @see docs/contracts/gateway.md section 6
 */
export function credentialArchive(
  filename: string,
  files: Partial<Record<CredentialEntry, Uint8Array | string>>,
): CredentialArchive {
  const given = Object.entries(files) as [CredentialEntry, Uint8Array | string][]; // the type of `files` has no other names
  const contents = given.map(([name, content]) => [name, typeof content === "string" ? Buffer.from(content) : content]);
  const archive = zipSync(Object.fromEntries(contents), { level: 0, os: UNIX, attrs: OWNER_ONLY });
  return {
    filename,
    entries: given.map(([name]) => ({ name, readBy: CREDENTIAL_ENTRIES[name] })),
    archiveBase64: Buffer.from(archive).toString("base64"),
  };
}
