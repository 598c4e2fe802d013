import { withInstall } from "#cli/install.ts";
import { verifyChain } from "#services/audit/service.ts";

/** Recomputes every namespace's chain from the database, without the running services. Exit code 1 when one is broken. */
export async function verifyAudit(): Promise<number> {
  return withInstall(async ({ ctx }) => {
    const namespaces = await ctx.db.namespace.findMany({ select: { id: true }, orderBy: { id: "asc" } });
    let broken = 0;
    for (const { id } of namespaces) {
      const verdict = await verifyChain(ctx.db, id);
      if (verdict.intact) {
        console.log(`${id}: ${verdict.entries} entries, intact.`);
      } else {
        broken += 1;
        console.log(
          `${id}: broken at entry ${verdict.brokenAt}: ${verdict.why}; ${verdict.entries} before it are intact.`,
        );
      }
    }
    return broken === 0 ? 0 : 1;
  });
}
