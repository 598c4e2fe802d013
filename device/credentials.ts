import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "#lib/errors/app-error.ts";

/** The files that `gatehouse device issue` writes and the console offers once; `sota.toml` is for a real client only. */
export type CredentialFiles = {
  readonly "pkey.pem": string;
  readonly "client.pem": string;
  readonly "root.crt": string;
  readonly "gateway.url": string;
};

export const CREDENTIAL_FILES = ["pkey.pem", "client.pem", "root.crt", "gateway.url"] as const;

/** @throws AppError `start.failed` naming the file that is missing */
export async function readCredentialFolder(dir: string): Promise<CredentialFiles> {
  const [pkey, client, root, gateway] = await Promise.all(CREDENTIAL_FILES.map((name) => readText(join(dir, name))));
  return { "pkey.pem": pkey ?? "", "client.pem": client ?? "", "root.crt": root ?? "", "gateway.url": gateway ?? "" };
}

/**
 * The gateway's address without trailing slash, which clients would double in every path.
 *
 * @throws AppError `start.failed` when it is no https address
 */
export function gatewayUrl(files: CredentialFiles): string {
  const text = files["gateway.url"].trim().replace(/\/+$/, "");
  if (URL.canParse(text) && new URL(text).protocol === "https:") return text;
  throw new AppError("start.failed", "gateway.url does not hold an https address.");
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new AppError("start.failed", `The credential file ${path} cannot be read.`, { cause });
  }
}
