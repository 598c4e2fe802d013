import type { Ctx } from "#lib/ctx.ts";
import { type AdmissionFacts, type Claim, readAdmissionFacts, readDecidedFacts } from "#services/identity/service.ts";
import { within } from "./within.ts";

/** Beyond so many reads at once, what is asked for waits and goes together in the next. */
const READS_AT_ONCE = 4;
const CERTIFICATES_A_READ = 500;
/** A read that hangs gives its place up, so that those behind it are not stuck with it. */
const READ_WITHIN_MS = 3_000;

type Asked = { claim: Claim; done(facts: Promise<AdmissionFacts>): void };

/**
 * Reads facts for the gateway's memory, in few queries however many certificates are asked for at once: when a gateway has had to
 * forget everything, all of its devices are. Only digests that were computed here go into a shared query, so that no certificate can spoil
 * it for the others.
 */
export function createFactReader(ctx: Ctx): (claim: Claim) => Promise<AdmissionFacts> {
  const { db, namespaceId } = ctx;
  let waiting: Asked[] = [];
  let running = 0;
  let starting = false;

  const readAlone = (claim: Claim) => readAdmissionFacts(db, namespaceId, claim, ctx.clock());

  async function serve(asked: readonly Asked[]): Promise<void> {
    const [only] = asked;
    if (only !== undefined && asked.length === 1) {
      const alone = readAlone(only.claim);
      only.done(alone);
      await within(alone, READ_WITHIN_MS);
      return;
    }
    const reading = within(
      readDecidedFacts(
        db,
        namespaceId,
        asked.map(({ claim }) => claim.leaf),
      ),
      READ_WITHIN_MS,
    );
    for (const { claim, done } of asked) {
      done(reading.then((found) => found.get(claim.leaf.fingerprint) ?? readAlone(claim)));
    }
    await reading;
  }

  function start(): void {
    starting = false;
    while (running < READS_AT_ONCE && waiting.length > 0) {
      const asked = waiting.slice(0, CERTIFICATES_A_READ);
      waiting = waiting.slice(CERTIFICATES_A_READ);
      running += 1;
      const over = () => {
        running -= 1;
        start();
      };
      serve(asked).then(over, over); // whoever asked is told what went wrong
    }
  }

  return (claim) =>
    new Promise((done) => {
      waiting.push({ claim, done });
      if (starting) return;
      starting = true;
      queueMicrotask(start); // what is asked for in the same turn goes together
    });
}
