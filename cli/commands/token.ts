import { type Given, parseDurationSeconds, text, UsageError } from "#cli/arguments.ts";
import { withInstall } from "#cli/install.ts";
import { SHELL } from "#lib/authz/actor.ts";
import { isRole, ROLES } from "#lib/authz/permissions.ts";
import { CreateToken } from "#lib/contracts/console/accounts.ts";
import { createServiceToken } from "#services/accounts/service.ts";

const LONGEST_SECONDS = 3_650 * 86_400;

/** Makes a service token and prints it alone on standard output, so that a script can take it from there. */
export async function createToken(given: Given): Promise<number> {
  const role = text(given, "role");
  if (!isRole(role)) throw new UsageError(`--role must be one of ${ROLES.join(", ")}`);
  const name = CreateToken.shape.name.safeParse(text(given, "name"));
  if (!name.success) throw new UsageError(`--name: ${name.error.issues[0]?.message}`);
  const expiresIn = typeof given.expires === "string" ? parseDurationSeconds("expires", given.expires) : null;
  if (expiresIn !== null && expiresIn > LONGEST_SECONDS) throw new UsageError("--expires may be at most 3650d");
  return withInstall(async ({ ctx }) => {
    const expiresAt = expiresIn === null ? null : new Date(ctx.clock().getTime() + expiresIn * 1_000);
    const { token } = await createServiceToken(ctx, SHELL, { role, name: name.data, expiresAt });
    console.log(token);
    return 0;
  });
}
