import { readFileSync, rmSync } from "node:fs";
import https from "node:https";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, at, createApi, eventually } from "#tests/harness/api.ts";
import { issueDevice } from "#tests/harness/build-tools.ts";
import { type PartName, type System, startSystem } from "#tests/harness/system.ts";
import { createSoftwareCa, type SoftwareCa, type SoftwareLeaf } from "#tests/pki/software-ca.ts";

/** What is killed; and whether the gateway sleeps through all of it, so that it hears of none of the decisions. */
const ROUNDS = [
  { part: "gateway", isGatewayAsleep: false },
  { part: "worker", isGatewayAsleep: false },
  { part: "postgres", isGatewayAsleep: false },
  { part: "postgres", isGatewayAsleep: true },
] as const satisfies readonly { part: PartName; isGatewayAsleep: boolean }[];
/** Dealt out to the rounds by turns; in every other turn they are revocations, in the rest approvals. */
const DECISIONS = 50;
const turnOf = (index: number) => Math.floor(index / ROUNDS.length);
const AT_A_TIME = 4;

type Verb = "approve" | "revoke";
type Heard = "admitted" | "refused" | "unknown";
/** A certificate about which a person decides, and what its device hears from the door all the while. */
type Watched = {
  leaf: SoftwareLeaf;
  verb: Verb;
  asked: boolean;
  acknowledged: boolean;
  inForce: boolean;
  /** How often the door answered against the decision: before anybody asked for it, or after it was in force. */
  early: number;
  reversed: number;
};
/** Somebody who must never come in. */
type Outsider = { name: string; leaf: SoftwareLeaf | null; refused: number; admitted: number };

let system: System;
let api: Api;
let rootPem: string;
let watched: Watched[];
let outsiders: Outsider[];
const ending = new AbortController();
let knocking: Promise<unknown>;

beforeAll(async () => {
  system = await startSystem();
  api = createApi(system.consoleUrl, system.cli("token", "create", "--role", "admin", "--name", "chaos").trim());
  const folder = issueDevice(system, "anchor");
  rootPem = readFileSync(join(folder, "root.crt"), "utf8");
  rmSync(dirname(folder), { recursive: true });
  const ca = await createSoftwareCa({ commonName: "Works CA" });
  const upload = { certificatePem: ca.pem, privateKeyPem: ca.privateKeyPem };
  expect((await api.post("/api/v1/authorities/upload", upload)).status).toBe(201);
  watched = await Promise.all(
    Array.from({ length: DECISIONS }, async (_, index) => {
      const verb: Verb = turnOf(index) % 2 === 0 ? "approve" : "revoke";
      const nothingYet = { asked: false, acknowledged: false, inForce: false, early: 0, reversed: 0 };
      return { leaf: await ca.issue(), verb, ...nothingYet };
    }),
  );
  outsiders = await gatherOutsiders(ca);
  const known = outsiders.flatMap(({ leaf }) => (leaf === null ? [] : [leaf]));
  await waitFor([...known, ...watched.map(({ leaf }) => leaf)]);
  for (const { leaf, verb } of watched) if (verb === "revoke") await decide(leaf, "approve");
  knocking = Promise.all([...outsiders.map(keepOut), ...Array.from({ length: AT_A_TIME }, (_, lane) => watch(lane))]);
}, 180_000);

afterAll(async () => {
  ending.abort();
  await knocking;
  await system?.drop();
}, 60_000);

/** Each of them reaches the door with a genuine key, and has no right to come in. */
async function gatherOutsiders(ca: SoftwareCa): Promise<Outsider[]> {
  const impostor = await createSoftwareCa({ commonName: "Works CA" });
  const leaves: Record<string, SoftwareLeaf | null> = {
    "without a certificate": null,
    "of an authority with the same name": await impostor.issue(),
    "that waits": await ca.issue(),
    "that was rejected": await ca.issue(),
    "that was revoked": await ca.issue(),
  };
  const { "that was rejected": rejected, "that was revoked": revoked } = leaves;
  if (!rejected || !revoked) throw new Error("unreachable");
  await waitFor([rejected, revoked]);
  await decide(rejected, "reject");
  await decide(revoked, "approve");
  expect(await hear(revoked)).toBe("admitted");
  await decide(revoked, "revoke");
  await eventually(async () => (await knock(revoked)) === "refused", { withinSeconds: 10, what: "the revocation" });
  return Object.entries(leaves).map(([name, leaf]) => ({ name, leaf, refused: 0, admitted: 0 }));
}

/** First visits, so that their certificates wait for a person. */
async function waitFor(leaves: readonly SoftwareLeaf[]): Promise<void> {
  for (const leaf of leaves) expect(await hear(leaf)).toBe("refused");
}

/** Knocks until there is an answer: a busy machine may take longer than a knock waits. */
async function hear(leaf: SoftwareLeaf): Promise<Heard> {
  let heard: Heard = "unknown";
  const isAnswered = async () => {
    heard = await knock(leaf);
    return heard !== "unknown";
  };
  await eventually(isAnswered, { withinSeconds: 30, what: "an answer of the door" });
  return heard;
}

/** What a new connection to the door hears; an unreachable service behind the door is heard by those that were let in. */
function knock(leaf: SoftwareLeaf | null): Promise<Heard> {
  const credentials = leaf === null ? {} : { cert: leaf.pem, key: leaf.privateKeyPem };
  const options = { ...system.door, ...credentials, ca: rootPem, agent: false, path: "/director/1.root.json" };
  return new Promise((done) => {
    const req = https.request({ ...options, signal: AbortSignal.timeout(5_000) }, (res) => {
      res.resume();
      const code = String(res.headers["x-gatehouse-code"] ?? "");
      if (res.statusCode === 401 || res.statusCode === 403) done("refused");
      else done(code === "unavailable" ? "unknown" : "admitted");
    });
    req.on("error", () => done("unknown"));
    req.end();
  });
}

async function keepOut(outsider: Outsider): Promise<void> {
  while (!ending.signal.aborted) {
    const heard = await knock(outsider.leaf);
    if (heard === "admitted") outsider.admitted += 1;
    if (heard === "refused") outsider.refused += 1;
    await sleep(50);
  }
}

/** Knocks before the decision, too, so that the gateway has the old one in its memory. */
async function watch(lane: number): Promise<void> {
  const mine = watched.filter((_, index) => turnOf(index) % AT_A_TIME === lane);
  while (!ending.signal.aborted) {
    for (const one of mine) {
      const { acknowledged } = one;
      const heard = await knock(one.leaf);
      if (heard === "unknown") continue;
      const isAsWanted = heard === wanted(one);
      if (isAsWanted && !one.asked) one.early += 1;
      if (isAsWanted && acknowledged) one.inForce = true;
      if (!isAsWanted && one.inForce) one.reversed += 1;
    }
    await sleep(20);
  }
}

const wanted = ({ verb }: Watched): Heard => (verb === "approve" ? "admitted" : "refused");
const stateAfter = ({ verb }: Watched) => (verb === "approve" ? "allowed" : "revoked");

async function decide(leaf: SoftwareLeaf, verb: Verb | "reject"): Promise<void> {
  const { status, body } = await api.post(`/api/v1/certificates/${leaf.certificate.fingerprint}/${verb}`, {});
  expect([status, JSON.stringify(body)]).toEqual([200, expect.anything()]);
}

/** Until it is acknowledged. One whose acknowledgement was lost is found done by the repeat. */
async function decideSurely(one: Watched): Promise<void> {
  const path = `/api/v1/certificates/${one.leaf.certificate.fingerprint}`;
  let last: unknown;
  one.asked = true;
  await eventually(
    async () => {
      const { status, body } = await api.post(`${path}/${one.verb}`, { note: "chaos" });
      last = body;
      if (status === 409) return at((await api.get(path)).body, "state") === stateAfter(one);
      return status === 200;
    },
    { withinSeconds: 60, what: () => `${one.verb} to be acknowledged: ${JSON.stringify(last)}` },
  );
  one.acknowledged = true;
}

describe("kill -9 in the middle of approvals and revocations", () => {
  it.each(ROUNDS.map((round, index) => ({ ...round, index })))(
    "of $part (gateway asleep: $isGatewayAsleep) loses none that was acknowledged",
    async ({ part, isGatewayAsleep, index: round }) => {
      const mine = watched.filter((_, index) => index % ROUNDS.length === round);
      const waiting = [...mine];
      let done = 0;
      const gateway = system.pidOf("gateway");
      const work = async () => {
        for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
          await decideSurely(one);
          done += 1;
          if (done !== Math.floor(mine.length / 3)) continue;
          if (isGatewayAsleep) process.kill(gateway, "SIGSTOP");
          system.kill9(part);
        }
      };
      try {
        await Promise.all(Array.from({ length: AT_A_TIME }, work));
      } finally {
        if (isGatewayAsleep) process.kill(gateway, "SIGCONT");
      }
      await eventually(async () => mine.every(({ inForce }) => inForce), {
        withinSeconds: 40,
        what: () => `${mine.filter(({ inForce }) => !inForce).length} decisions to be in force`,
      });
    },
    120_000,
  );

  it("reverses none, at the door, on record and in the audit log", async () => {
    ending.abort();
    await knocking;
    const against = watched.filter(({ early, reversed }) => early + reversed > 0);
    expect(against.map(({ verb, early, reversed }) => ({ verb, early, reversed }))).toEqual([]);
    for (const one of watched) {
      const { fingerprint } = one.leaf.certificate;
      expect(await hear(one.leaf)).toBe(wanted(one));
      const { body } = await api.get(`/api/v1/certificates/${fingerprint}`);
      expect(at(body, "state")).toBe(stateAfter(one));
      const audit = await api.get(`/api/v1/audit?targetKind=certificate&targetId=${fingerprint}`);
      const entries = at(audit.body, "data") as unknown[]; // a page of entries
      const settled = entries.filter(
        (it) => at(it, "action") === `certificate.${one.verb}` && at(it, "outcome") === "done",
      );
      expect(settled).toHaveLength(1);
    }
    expect(system.cli("audit", "verify")).toMatch(/intact/i);
  }, 60_000);

  it("lets no outsider in at any moment", () => {
    for (const { name, admitted, refused } of outsiders) {
      expect([name, admitted]).toEqual([name, 0]);
      // It did knock all the while, as often as the machine let it.
      expect(refused, name).toBeGreaterThan(10);
    }
  });
});
