import { afterAll, beforeAll, expect, it } from "vitest";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { loadDoorCertificate } from "#services/authorities/service.ts";
import { revokeCertificate } from "#services/identity/service.ts";
import { DECISION_SECRET, openTestDecisions, type TestDecisions } from "#tests/harness/decisions.ts";
import { type RecordingUpstream, SERVICES_TOKEN, type TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { freePort } from "#tests/harness/free-port.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import { startDevicesNginx, type TestNginx } from "#tests/harness/nginx.ts";
import { bringIn, endAuthorities, openZoo, type ZooWorld } from "#tests/harness/zoo.ts";
import { ask, TLS_VERSIONS, type TlsVersion, type Visited, visit } from "#tests/harness/zoo-client.ts";
import { craft } from "#tests/pki/crafted.ts";
import { type Seen, type Shown, ZOO, type ZooKind } from "#tests/pki/zoo.ts";

let site: DoorSite;
let world: IdentityWorld;
let upstream: RecordingUpstream;
let door: TestDoor;
let decisions: TestDecisions;
let nginx: TestNginx;
let zoo: ZooWorld;

beforeAll(async () => {
  const [port, appPort] = [await freePort(), await freePort()];
  site = await openDoorSite({ DECISION_PUBLIC_URL: `https://localhost:${port}` });
  ({ world, upstream } = site);
  door = await site.openDoor();
  zoo = await openZoo(world);
  decisions = await openTestDecisions({ ...site.at, door: door.door });
  const { chainPem, privateKeyPem } = await loadDoorCertificate(world.ctx);
  nginx = await startDevicesNginx({
    port,
    appPort,
    chainPem,
    privateKeyPem,
    decision: `127.0.0.1:${decisions.port}`,
    servicesPort: Number(new URL(upstream.url).port),
    protectedPort: appPort,
    decisionSecret: DECISION_SECRET,
    servicesToken: SERVICES_TOKEN,
  });
  await decisions.mode.start();
});
afterAll(async () => {
  await nginx.close();
  await decisions.close();
  await site.close();
});

type Row = { readonly kind: string; readonly decision: string; readonly door: Seen; readonly nginx: Seen };
type Made = { readonly kind: ZooKind; readonly shown: Shown | null };

it("is judged alike at the device door and behind nginx, over TLS 1.2 and 1.3, new and with a session offered", {
  timeout: 240_000,
}, async () => {
  const made: Made[] = [];
  for (const kind of ZOO) made.push({ kind, shown: await bringIn(zoo, kind) });
  const revoked = made.filter(({ kind }) => kind.authority === "revoked");
  await endAuthorities(zoo);
  for (const { shown } of revoked) {
    await eventually(async () =>
      expect((await at(door.door.port, shown, "TLSv1.3")).outcome).toBe("authority_revoked"),
    );
  }
  const rows: Row[] = [];
  let next = 0;
  const work = async () => {
    for (let it = made[next++]; it !== undefined; it = made[next++]) rows.push(await walk(it));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));

  const byKind = (a: { kind: string }, b: { kind: string }) => (a.kind < b.kind ? -1 : 1);
  const expected = ZOO.map(({ kind, decision, door = decision, nginx = decision }) => ({
    kind,
    decision,
    door: seenOf(door),
    nginx: seenOf(nginx),
  }));
  expect(rows.sort(byKind)).toEqual(expected.sort(byKind));
  expect(new Set(ZOO.map(({ kind }) => kind)).size).toBe(ZOO.length);
  expect(ZOO.length).toBeGreaterThanOrEqual(60);
});

it("takes up no session of a certificate that was revoked since", async () => {
  const { open } = zoo.authorities;
  for (const port of [door.door.port, nginx.port]) {
    for (const version of TLS_VERSIONS) {
      const shown = craft(open);
      const first = await at(port, shown, version);
      expect(first.outcome).toBe("let in");
      const { fingerprint } = parseCertificate(shown.der);
      await revokeCertificate(world.ctx, actorOf("admin"), { fingerprint, reason: "keyCompromise" });
      await eventually(async () => {
        const again = await at(port, shown, version, first.session);
        expect(again).toMatchObject({ outcome: "revoked", resumed: false });
      }, 1_000);
    }
  }
});

const AT_A_TIME = 8;

function at(port: number, shown: Shown | null, version: TlsVersion, session: Buffer | null = null): Promise<Visited> {
  return visit(shown, { port, rootPem: door.rootPem, version, session });
}

/** Everywhere, each time twice; what it is told must be the same sentence wherever it is told one. */
async function walk({ kind, shown }: Made): Promise<Row> {
  const asked = await ask(shown, { port: decisions.port, secret: DECISION_SECRET });
  const seenAt = async (port: number) => {
    const outcomes: string[] = [];
    for (const version of TLS_VERSIONS) {
      const first = await at(port, shown, version);
      const second = await at(port, shown, version, first.session);
      expect([kind.kind, second.outcome, second.resumed]).toEqual([kind.kind, first.outcome, false]);
      expect([kind.kind, first.status]).toEqual([kind.kind, statusOf(first, port === nginx.port)]);
      if (first.outcome === asked.outcome) expect([kind.kind, first.sentence]).toEqual([kind.kind, asked.sentence]);
      outcomes.push(first.outcome);
    }
    const [tls12 = "", tls13 = ""] = outcomes;
    return { tls12, tls13 };
  };
  return {
    kind: kind.kind,
    decision: asked.outcome,
    door: await seenAt(door.door.port),
    nginx: await seenAt(nginx.port),
  };
}

function statusOf({ outcome }: Visited, isNginx: boolean): number | null {
  if (/^(alert|client): /.test(outcome)) return null;
  if (outcome === "let in") return 200;
  if (outcome === "nginx: 400") return isNginx ? 400 : null;
  if (outcome === "no_certificate") return isNginx ? 400 : 401;
  return 403;
}

function seenOf(seen: Seen) {
  return typeof seen === "string" ? { tls12: seen, tls13: seen } : { ...seen };
}
