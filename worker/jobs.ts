import { randomUUID } from "node:crypto";
import PgBoss from "pg-boss";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { pruneEvents, settleUnknown } from "#services/audit/service.ts";
import { renewDoorCertificate } from "#services/authorities/service.ts";
import { lapseWaiting, noteKeys, revokeFallen, supersedeReplaced } from "#services/identity/service.ts";
import { pruneMenderLog } from "#services/mender/service.ts";
import { refreshNotices } from "#services/posture/service.ts";
import { measureRevocation, pruneAcknowledgements, publishCrls } from "#services/revocation/service.ts";
import { scrubImages } from "#services/verification/service.ts";

type Job = {
  name: string;
  cron: string;
  run: (ctx: BackendCtx) => Promise<unknown>;
  /** When a run counts as dead; five minutes when left out. */
  expireSeconds?: number;
};

/** All that happens on a clock (UTC). Each is idempotent: a run that was killed is simply run again. */
export const JOBS: readonly Job[] = [
  { name: "metadata-re-sign", cron: "*/10 * * * *", run: (ctx) => ctx.backends.maintain(ctx) },
  // One run looks at one image at least, and the largest takes its time.
  { name: "images-scrub", cron: "* * * * *", run: scrubImages, expireSeconds: 3_600 },
  { name: "certificates-supersede", cron: "* * * * *", run: supersedeReplaced },
  { name: "certificates-revoke-fallen", cron: "* * * * *", run: revokeFallen },
  { name: "certificates-lapse", cron: "*/10 * * * *", run: lapseWaiting },
  { name: "certificates-note-keys", cron: "* * * * *", run: noteKeys },
  { name: "door-certificate-renew", cron: "17 * * * *", run: renewDoorCertificate },
  { name: "revocation-lists", cron: "41 * * * *", run: (ctx) => publishCrls(ctx, null) },
  { name: "revocation-canary", cron: "* * * * *", run: measureRevocation },
  { name: "acknowledgements-prune", cron: "23 * * * *", run: pruneAcknowledgements },
  { name: "trust-notices", cron: "*/10 * * * *", run: refreshNotices },
  { name: "audit-settle-unknown", cron: "* * * * *", run: settleUnknown },
  { name: "mender-log-prune", cron: "* * * * *", run: pruneMenderLog },
  { name: "console-events-prune", cron: "*/5 * * * *", run: pruneEvents },
];

/** @throws when the database does not answer */
export async function startJobs(ctx: BackendCtx, databaseUrl: string): Promise<{ stop(): Promise<void> }> {
  const boss = new PgBoss({
    connectionString: databaseUrl,
    schema: "pgboss",
    max: 3,
    application_name: "gatehouse worker",
  });
  boss.on("error", (err) => ctx.log.warn({ err }, "the job queue has trouble"));
  await boss.start();
  for (const job of JOBS) {
    await boss.createQueue(job.name, {
      name: job.name,
      policy: "singleton",
      retryLimit: 2,
      expireInSeconds: job.expireSeconds ?? 300,
    });
    await boss.schedule(job.name, job.cron, {}, { tz: "UTC" });
    await boss.work(job.name, { pollingIntervalSeconds: 5 }, async () => {
      const started = performance.now();
      await job.run({ ...ctx, requestId: randomUUID() });
      ctx.log.debug({ job: job.name, durationMs: Math.round(performance.now() - started) }, "job done");
    });
  }
  return { stop: () => boss.stop({ graceful: true, wait: true, timeout: 3_000 }) };
}
