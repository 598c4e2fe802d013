/**
 * `npm run bench -- trust`: how long each list of Trust takes with 100,000 certificates, against a limit. Rows are made by SQL alone: what is
 * measured is the database and what is asked of it. Ends with 1 when a limit is passed.
 */
import { performance } from "node:perf_hooks";
import { ListAllowlist } from "#lib/contracts/console/allowlist.ts";
import { ListCertificates } from "#lib/contracts/console/certificates.ts";
import { ListNotices } from "#lib/contracts/console/notices.ts";
import { ListExpiring, ListPostureFindings, POSTURE_CODES } from "#lib/contracts/console/posture.ts";
import { ListRefusals } from "#lib/contracts/console/refusals.ts";
import { ListCampaignDevices, ListRenewalCampaigns } from "#lib/contracts/console/renewal-campaigns.ts";
import { listAllowlist, listCertificates, listRefusals } from "#services/identity/service.ts";
import {
  createRenewalCampaign,
  getForecast,
  getPosture,
  listCampaignDevices,
  listExpiringDevices,
  listNotices,
  listPostureFindings,
  listRenewalCampaigns,
  refreshNotices,
} from "#services/posture/service.ts";
import { openGateways } from "./gateways.ts";
import { describeMachine, familySeconds, parentOf } from "./machine.ts";
import { seedTrust } from "./trust-seed.ts";

const CERTIFICATES = 100_000;
const TRIES = 5;
/** Of a list's page with its total, of what must read everything, and of what is done once. */
const LIST_MS = 300;
const WHOLE_MS = 1_000;
const ONCE_MS = 5_000;

console.log(describeMachine());
const { ctx, actor, drop } = await openGateways();
const [session] = await ctx.db.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
const server = parentOf(session?.pid ?? 0);
try {
  const seeding = performance.now();
  await seedTrust(ctx, CERTIFICATES);
  console.log(`${CERTIFICATES} certificates and devices in ${Math.round(performance.now() - seeding)} ms\n`);

  const certificates = (query: object) => () => listCertificates(ctx, actor, ListCertificates.parse(query));
  const first = await certificates({ limit: 200 })();
  await measure("certificates, first page", LIST_MS, certificates({}));
  await measure("certificates, next page", LIST_MS, certificates({ cursor: first.nextCursor ?? "" }));
  await measure("certificates, by text", WHOLE_MS, certificates({ q: "press 4711" }));
  await measure("certificates, allowed", LIST_MS, certificates({ state: "allowed" }));
  await measure("certificates, by key", LIST_MS, certificates({ keyType: "RSA-2048" }));
  await measure("certificates, by end", LIST_MS, certificates({ endsBefore: inDays(30) }));
  await measure("waiting", LIST_MS, certificates({ state: "pending", sort: "createdAt" }));
  const allowlist = (query: object) => () => listAllowlist(ctx, actor, ListAllowlist.parse(query));
  await measure("allowlist, first page", LIST_MS, allowlist({}));
  await measure("allowlist, unused", LIST_MS, allowlist({ use: "unused" }));
  await measure("allowlist, by text", WHOLE_MS, allowlist({ q: "press 4711" }));
  await measure("refused", LIST_MS, () => listRefusals(ctx, actor, ListRefusals.parse({})));

  await measure("forecast", WHOLE_MS, () => getForecast(ctx, actor, {}));
  const month = ListExpiring.parse({ from: inDays(0), until: inDays(30) });
  await measure("forecast, devices of a month", LIST_MS, () => listExpiringDevices(ctx, actor, month));
  await measure("forecast, all devices", WHOLE_MS, () => listExpiringDevices(ctx, actor, ListExpiring.parse({})));
  await measure("posture, every check", WHOLE_MS, () => getPosture(ctx, actor));
  for (const code of POSTURE_CODES) {
    const input = { code, query: ListPostureFindings.parse({}) };
    await measure(`posture, ${code}`, WHOLE_MS, () => listPostureFindings(ctx, actor, input));
  }

  const dueAt = inDays(60);
  const everybody = { name: "All of them", dueAt, devices: { expiring: { until: inDays(10_000) } } };
  const campaign = await measureOnce("campaign, to begin", ONCE_MS, () => createRenewalCampaign(ctx, actor, everybody));
  console.log(`  … with ${campaign.counts.total} devices`);
  await measure("campaigns", WHOLE_MS, () => listRenewalCampaigns(ctx, actor, ListRenewalCampaigns.parse({})));
  const devices = { id: campaign.id, query: ListCampaignDevices.parse({}) };
  await measure("campaign, its devices", WHOLE_MS, () => listCampaignDevices(ctx, actor, devices));
  await measureOnce("notices, to look for all", ONCE_MS, () => refreshNotices(ctx));
  await measure("notices, the bell", LIST_MS, () =>
    listNotices(ctx, actor, ListNotices.parse({ state: "open", limit: 8 })),
  );
} finally {
  await drop();
}

function inDays(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString();
}

/** The slowest of a few tries, after one that warms up, is what counts. */
async function measure(what: string, limitMs: number, run: () => Promise<unknown>): Promise<void> {
  await run();
  const used = familySeconds(server);
  const took: number[] = [];
  while (took.length < TRIES) {
    const from = performance.now();
    await run();
    took.push(performance.now() - from);
  }
  print(what, limitMs, { tookMs: Math.max(...took), usedMs: ((familySeconds(server) - used) / TRIES) * 1_000 });
}

async function measureOnce<T>(what: string, limitMs: number, run: () => Promise<T>): Promise<T> {
  const used = familySeconds(server);
  const from = performance.now();
  const result = await run();
  print(what, limitMs, { tookMs: performance.now() - from, usedMs: (familySeconds(server) - used) * 1_000 });
  return result;
}

/** `usedMs`: processor time of the database, which is the same whatever else the machine does. */
function print(what: string, limitMs: number, { tookMs, usedMs }: { tookMs: number; usedMs: number }): void {
  const isLate = tookMs > limitMs;
  if (isLate) process.exitCode = 1;
  const [took, used] = [tookMs, usedMs].map((ms) => ms.toFixed(0).padStart(6));
  console.log(`${what.padEnd(32)} ${took} ms of ${limitMs}, ${used} ms of processor${isLate ? "  TOO SLOW" : ""}`);
}
