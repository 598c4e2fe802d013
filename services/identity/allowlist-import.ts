import { createHash, randomUUID } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import { ALLOWLIST_IMPORT_MAX_ROWS, type AllowlistImport } from "#lib/contracts/console/allowlist.ts";
import { Uuid } from "#lib/contracts/console/common.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { record } from "#services/audit/service.ts";
import { listAuthorityNames } from "#services/authorities/service.ts";
import { type Authorities, type ReadRow, type RowEntry, type RowError, readAllowlistRows } from "./allowlist-rows.ts";
import type { IdentityCtx } from "./ctx.ts";
import * as store from "./store-allowlist.ts";

const AT_ONCE = 1_000;
const ERRORS_TOLD = 100;
const MAX_GROUPS = 100;
/** Of a whole import; 100,000 rows take a few seconds. */
const WITHIN = { timeout: 180_000 };

/**
 * Adds entries from a CSV file: all of them in one transaction, or none when any row is invalid. What is on the list already is counted and
 * left as it is, so a file may be imported again.
 *
 * The file is in memory as it came, bounded by its endpoint, so that no transaction waits for a slow sender; its rows are read one batch at
 * a time, once to check and once to add.
 *
 * @throws AppError `auth.forbidden` | `request.invalid` (no CSV, other columns, too many rows or groups) | `backend.*` (asked about groups)
 */
export async function importAllowlist(
  ctx: IdentityCtx,
  actor: Actor,
  input: { dryRun: boolean; csv: Buffer },
): Promise<AllowlistImport> {
  requirePermission(actor, "certificate.decide");
  const text = decode(input.csv);
  const digest = createHash("sha256").update(input.csv).digest("hex");
  const authorities = await listAuthorityNames(ctx);
  const { errors, known, groups, ...survey } = await surveyRows(ctx, { text, authorities, countsKnown: input.dryRun });
  const report = { ...survey, errors: errors.slice(0, ERRORS_TOLD), digest };
  const fresh = survey.rows - survey.invalid - survey.duplicates;
  if (input.dryRun) {
    return { ...report, imported: false, added: fresh - known, duplicates: survey.duplicates + known };
  }
  if (survey.invalid > 0) return { ...report, imported: false, added: 0 };
  const added = await addAll(ctx, actor, { text, authorities, groups, digest, rows: survey.rows });
  return { ...report, imported: true, added, duplicates: survey.rows - added };
}

type Source = { text: string; authorities: Authorities };

async function surveyRows(ctx: IdentityCtx, source: Source & { countsKnown: boolean }) {
  const seen = new Set<string>();
  const uses = new Map<string, GroupUse>();
  const errors: RowError[] = [];
  const found = { rows: 0, duplicates: 0, invalid: 0, known: 0 };
  for (const batch of batches(readAllowlistRows(source.text, source.authorities))) {
    found.rows += batch.length;
    if (found.rows > ALLOWLIST_IMPORT_MAX_ROWS)
      throw new AppError("request.invalid", `A file may have ${ALLOWLIST_IMPORT_MAX_ROWS} rows at most.`);
    const fresh = [];
    for (const read of batch) {
      if ("error" in read) {
        found.invalid += 1;
        if (errors.length < ERRORS_TOLD) errors.push(read.error);
        continue;
      }
      const { kind, scope, value, group } = read.entry;
      if (group !== null) {
        const use = uses.get(group) ?? { row: read.row, count: 0 };
        uses.set(group, { ...use, count: use.count + 1 });
      }
      const key = `${kind} ${scope} ${value}`;
      if (seen.has(key)) found.duplicates += 1;
      else fresh.push(read.entry);
      seen.add(key);
    }
    // A pause for other requests between batches, at least.
    if (source.countsKnown) found.known += await store.countKnown(ctx.db, ctx.namespaceId, fresh);
    else await setImmediate();
  }
  const groups = await findGroups(ctx, uses);
  for (const [group, { row, count }] of uses) {
    if (groups.has(group)) continue;
    found.invalid += count;
    const rows = count === 1 ? "" : ` (${count} rows)`;
    const cause = `${group} is not the id or name of one group that devices can be put into${rows}`;
    errors.push({ row, column: "group", cause });
  }
  return { ...found, errors, groups };
}

/** Where a group that a file names was first named, and by how many rows. */
type GroupUse = { readonly row: number; readonly count: number };

/** @returns the ids of the groups that there are, by what the file calls them */
async function findGroups(ctx: IdentityCtx, uses: ReadonlyMap<string, GroupUse>): Promise<ReadonlyMap<string, string>> {
  if (uses.size > MAX_GROUPS) throw new AppError("request.invalid", `A file may name ${MAX_GROUPS} groups at most.`);
  const asked = [...uses.keys()].map(async (group): Promise<[string, string][]> => {
    const id = await findGroupId(ctx, group);
    return id === null ? [] : [[group, id]];
  });
  return new Map((await Promise.all(asked)).flat());
}

async function findGroupId(ctx: IdentityCtx, group: string): Promise<string | null> {
  const { registry } = ctx.backends;
  const id = Uuid.safeParse(group.toLowerCase()).data;
  if (id !== undefined && (await registry.findStaticGroup(ctx, id)) !== null) return id;
  const [named, ...others] = await registry.listStaticGroupsNamed(ctx, group);
  return named === undefined || others.length > 0 ? null : named.id;
}

async function addAll(
  ctx: IdentityCtx,
  actor: Actor,
  file: Source & { groups: ReadonlyMap<string, string>; digest: string; rows: number },
): Promise<number> {
  return ctx.db.$transaction(async (tx) => {
    let added = 0;
    for (const batch of batches(readAllowlistRows(file.text, file.authorities))) {
      const entries = batch.flatMap((read) => ("error" in read ? [] : [toEntry(read.entry, file.groups)]));
      added += await store.insertEntries(tx, ctx.namespaceId, {
        entries,
        createdAt: ctx.clock(),
        createdBy: actor.name,
      });
    }
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: "" });
    await record(tx, ctx, actor, {
      action: "allowlist.import",
      target: { kind: "allowlist_entry", id: file.digest, name: `${added} entries` },
      after: { rows: file.rows, added, duplicates: file.rows - added, sha256: file.digest },
    });
    return added;
  }, WITHIN);
}

function toEntry({ group, ...entry }: RowEntry, groups: ReadonlyMap<string, string>): store.NewEntry {
  return { ...entry, id: randomUUID(), groupId: group === null ? null : (groups.get(group) ?? null) };
}

function* batches(rows: Iterable<ReadRow>): Generator<ReadRow[]> {
  let batch: ReadRow[] = [];
  for (const row of rows) {
    batch.push(row);
    if (batch.length < AT_ONCE) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function decode(csv: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(csv);
  } catch (cause) {
    throw new AppError("request.invalid", "The file is not UTF-8.", { cause });
  }
}
