import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

/** A device's view of one gateway: one connection that is kept open, and new ones. */
export type Probe = {
  /** Why the gateway does not let it in to begin with; null when it does. */
  readonly problem: string | null;
  /** When it was refused, on a connection that was open and on a new one (`performance.now()`); null if it never was. */
  refused(): Promise<number | null>;
  close(): void;
};

const ADMITTED_WITHIN_MS = 5_000;
const REFUSED_WITHIN_MS = 10_000;
const ASK_EVERY_MS = 20;
const ANSWER_WITHIN_MS = 2_000;

/** Opens the connection and waits until the gateway lets it in. Never rejects. */
export async function openProbe(at: {
  url: string;
  rootPem: string;
  pem: string;
  privateKeyPem: string;
}): Promise<Probe> {
  const kept = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (agent: https.Agent | false) => askOnce(at, agent);
  const problem = await waitForAdmission(() => ask(kept));
  return {
    problem,
    async refused() {
      const until = performance.now() + REFUSED_WITHIN_MS;
      // Over the open connection: refused, or cut in the middle of it.
      const isLetIn = async (agent: https.Agent | false) => {
        const answer = await ask(agent);
        return answer === 204 || typeof answer === "string";
      };
      while (performance.now() < until) {
        const answer = await ask(kept);
        if (answer !== 204) break;
        await sleep(ASK_EVERY_MS);
      }
      while (await isLetIn(false)) {
        if (performance.now() >= until) return null;
        await sleep(ASK_EVERY_MS);
      }
      return performance.now();
    },
    close: () => kept.destroy(),
  };
}

async function waitForAdmission(ask: () => Promise<number | string>): Promise<string | null> {
  const until = performance.now() + ADMITTED_WITHIN_MS;
  for (;;) {
    const answer = await ask();
    if (answer === 204) return null;
    if (performance.now() >= until) {
      return typeof answer === "string" ? `The door can't be reached: ${answer}` : `The door answered ${answer}.`;
    }
    await sleep(100);
  }
}

/** @returns the status, or what went wrong on the way */
function askOnce(
  at: { url: string; rootPem: string; pem: string; privateKeyPem: string },
  agent: https.Agent | false,
): Promise<number | string> {
  return new Promise((done) => {
    const req = https.request(`${at.url}/canary`, {
      agent,
      ca: at.rootPem,
      allowPartialTrustChain: true,
      cert: at.pem,
      key: at.privateKeyPem,
      timeout: ANSWER_WITHIN_MS,
      // The address is this very process' and need not be among the door's names; its authority is checked.
      checkServerIdentity: () => undefined,
    });
    req.on("timeout", () => req.destroy(new Error("no answer")));
    req.on("error", (error) => done(error.message));
    req.on("response", (res) => {
      res.resume();
      res.on("error", (error) => done(error.message));
      res.on("end", () => done(res.statusCode ?? 0));
    });
    req.end();
  });
}
