import { isJsonArray, isJsonObject, type Json } from "#lib/uptane/json.ts";

/**
 * System info as the contract shows it: every object has a member `id-nr`, counted with children before their parents.
 *
 * @see contracts/device-registry.md section 4
 */
export function numberObjects(value: Json): Json {
  let next = 0;
  function visit(part: Json): Json {
    if (isJsonArray(part)) return part.map(visit);
    if (!isJsonObject(part)) return part;
    const members = Object.entries(part).map(([name, member]) => [name, visit(member)] as const);
    const idNr = String(next);
    next += 1;
    return Object.fromEntries([...members.filter(([name]) => name !== "id-nr"), ["id-nr", idNr]]);
  }
  return visit(value);
}

/** What aktualizr sends is its whole effective configuration; of it only these two sections are sure to be there. */
export function isClientConfig(toml: string): boolean {
  return ["pacman", "uptane"].every((section) => new RegExp(`^[ \\t]*\\[${section}\\][ \\t\\r]*$`, "m").test(toml));
}
