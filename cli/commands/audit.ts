import { withInstall } from "#cli/install.ts";
import { listChains, verifyChain } from "#services/audit/service.ts";

/** Recomputes every namespace's chain from the database, without the running services. Exit code 1 when one is broken. */
export async function verifyAudit(): Promise<number> {
  return withInstall(async ({ ctx }) => {
    let broken = 0;
    for (const namespace of await listChains(ctx.db)) {
      const verdict = await verifyChain(ctx.db, namespace);
      if (verdict.intact) {
        console.log(`${namespace}: ${verdict.entries} entries, intact.`);
      } else {
        broken += 1;
        const { brokenAt, why, entries } = verdict;
        console.log(`${namespace}: broken at entry ${brokenAt}: ${why}; the ${entries} before it are intact.`);
      }
    }
    return broken === 0 ? 0 : 1;
  });
}
