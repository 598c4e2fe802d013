/**
 * `npm run bench -- everyone`: how long a gateway takes to decide about all of its live connections, after a change of their authority and after
 * its connection to the database was lost. The connections have no sockets: what is measured is deciding, which ends with the order to cut.
 */
import { openCrowd } from "#tests/harness/live-crowd.ts";
import { openGateways } from "./gateways.ts";
import { describeMachine } from "./machine.ts";

const CONNECTIONS = 20_000;
const TRIES = 10;

console.log(describeMachine());
const install = await openGateways();
try {
  const { ctx, databaseUrl } = install;
  const crowd = await openCrowd(ctx, databaseUrl, CONNECTIONS);
  console.log(`${CONNECTIONS} live connections, ${TRIES} tries of each`);
  const near = { sourceNetworks: ["192.0.2.0/24", "2001:db8::/32"] };
  await measure("authority changed", () => crowd.changeAuthority(near));
  await measure("database lost and back", () => crowd.reconnect());
  await measure("authority revoked", () => crowd.changeAuthority({ state: "revoked" }), CONNECTIONS);
  await crowd.close();

  async function measure(what: string, change: () => Promise<void>, cut = 0): Promise<void> {
    const tookMs: number[] = [];
    const cpuMs: number[] = [];
    for (let count = 0; count < TRIES; count += 1) {
      await change();
      const cpu = process.cpuUsage();
      const from = performance.now();
      if ((await crowd.cutRefused()) !== cut) throw new Error("the wrong ones were cut");
      tookMs.push(performance.now() - from);
      const { user, system } = process.cpuUsage(cpu);
      cpuMs.push((user + system) / 1_000);
    }
    const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
    const worst = Math.max(...tookMs);
    console.log(
      `  ${what}: median ${median(tookMs)?.toFixed(0)} ms, at most ${worst.toFixed(0)} ms, ${median(cpuMs)?.toFixed(0)} ms of processor`,
    );
  }
} finally {
  await install.drop();
}
