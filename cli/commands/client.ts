import { readFile } from "node:fs/promises";
import { type Given, parseDurationSeconds, text, UsageError } from "#cli/arguments.ts";
import { withInstall } from "#cli/install.ts";
import { SHELL } from "#lib/authz/actor.ts";
import { isToolScope, TOOL_SCOPES } from "#lib/authz/tool-scopes.ts";
import { CreateMachineClient } from "#lib/contracts/console/machine-clients.ts";
import { createMachineClientUntil } from "#services/accounts/service.ts";

const LONGEST_SECONDS = 3_650 * 86_400;

/** Makes a machine client and prints its id and secret as JSON, alone on standard output. */
export async function createClient(given: Given): Promise<number> {
  const name = CreateMachineClient.shape.name.safeParse(text(given, "name"));
  if (!name.success) throw new UsageError(`--name: ${name.error.issues[0]?.message}`);
  const scopes = text(given, "scope")
    .split(",")
    .map((word) => word.trim());
  if (!scopes.every(isToolScope) || new Set(scopes).size !== scopes.length) {
    throw new UsageError(`--scope takes each of these once at most: ${TOOL_SCOPES.join(",")}`);
  }
  const expiresIn = typeof given.expires === "string" ? parseDurationSeconds("expires", given.expires) : null;
  if (expiresIn !== null && expiresIn > LONGEST_SECONDS) throw new UsageError("--expires may be at most 3650d");
  const networks = CreateMachineClient.shape.sourceNetworks.safeParse(
    typeof given.from === "string" ? given.from.split(",").map((word) => word.trim()) : undefined,
  );
  if (!networks.success) throw new UsageError("--from takes addresses or ranges like 10.1.0.0/16");
  const certificatePem = typeof given.certificate === "string" ? await readPem(given.certificate) : undefined;
  return withInstall(async ({ ctx }) => {
    const expiresAt = expiresIn === null ? null : new Date(ctx.clock().getTime() + expiresIn * 1_000);
    const made = await createMachineClientUntil(ctx, SHELL, {
      name: name.data,
      scopes,
      certificatePem,
      sourceNetworks: networks.data,
      expiresAt,
    });
    console.log(JSON.stringify({ clientId: made.clientId, clientSecret: made.clientSecret }));
    return 0;
  });
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new UsageError(`--certificate: the file ${path} can't be read`, { cause });
  }
}
