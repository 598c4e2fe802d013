import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { recordProgress } from "#services/fleet/service.ts";
import { type Answer, CORRELATION, openRegistry, START } from "./harness.ts";

const registry = openRegistry();
let uuid: string;
beforeEach(async () => {
  uuid = await registry.addDevice();
});

type Event = { id: string; deviceTime: string; eventType: { id: string; version: number }; event: object };
const event = (change: Partial<Event> = {}): Event => ({
  id: randomUUID(),
  deviceTime: "2026-03-01T11:59:00Z",
  eventType: { id: "EcuDownloadStarted", version: 0 },
  event: { ecu: "primary", correlationId: CORRELATION },
  ...change,
});
const of = (id: string, members: object = {}) =>
  event({ eventType: { id, version: 0 }, event: { ecu: "primary", correlationId: CORRELATION, ...members } });
const post = (json: unknown): Promise<Answer> => registry.call("POST", `/api/v1/devices/${uuid}/events`, { json });
const postRaw = (raw: string | Buffer): Promise<Answer> =>
  registry.call("POST", `/api/v1/devices/${uuid}/events`, { raw });
const list = async (query = "") =>
  (await registry.call("GET", `/api/v1/devices/${uuid}/events${query}`)).json() as {
    eventId: string;
    eventType: { id: string };
    payload: Record<string, unknown>;
  }[];
const quarantined = () => registry.ctx.db.registryQuarantinedEvent.findMany({ where: { deviceUuid: uuid } });
const fleetRow = () => registry.ctx.db.fleetDevice.findFirstOrThrow({ where: { uuid } });
const assign = () =>
  registry.write((tx) =>
    recordProgress(tx, "default", { deviceUuid: uuid, at: START, kind: "assigned", correlationId: CORRELATION }),
  );

describe("the journal", () => {
  it("keeps events once, whatever how often they are sent, and overwrites by id", async () => {
    const first = event();
    expect((await post([first, event()])).status).toBe(204);
    expect((await post([{ ...first, event: { ecu: "other" } }])).status).toBe(204);
    const events = await list();
    expect(events).toHaveLength(2);
    expect(events.find(({ eventId }) => eventId === first.id)?.payload).toEqual({ ecu: "other" });
  });

  it("finds indexed events by their correlation id, latest device time first, and filters by type", async () => {
    await post([
      { ...of("EcuDownloadStarted"), deviceTime: "2026-03-01T10:00:00Z" },
      { ...of("EcuInstallationStarted"), deviceTime: "2026-03-01T12:00:00+01:00" },
      { ...of("EcuDownloadStarted"), eventType: { id: "EcuDownloadStarted", version: 7 } },
      of("SomethingElse"),
    ]);
    expect((await list()).length).toBe(4);
    const found = await list(`?correlationId=${CORRELATION}`);
    expect(found.map(({ eventType }) => eventType.id)).toEqual(["EcuInstallationStarted", "EcuDownloadStarted"]);
    expect(await list("?eventTypes=SomethingElse,Nothing")).toHaveLength(1);
    expect(await list("?correlationId=other")).toEqual([]);
  });

  it("indexes a campaign's events by the campaign", async () => {
    const campaign = randomUUID();
    await post([event({ eventType: { id: "campaign_accepted", version: 0 }, event: { campaignId: campaign } })]);
    const updates = `?updateId=urn:here-ota:campaign:${campaign}`;
    const found = (await registry.call("GET", `/api/v2/devices/${uuid}/events${updates}`)).json();
    expect(found).toMatchObject({ deviceUuid: uuid, events: [{ name: "CampaignAccepted" }] });
  });

  it("keeps NUL and lone surrogates of a payload as they were", async () => {
    const raw = JSON.stringify([event({ event: { text: "a\0b\ud800c", "\0": 1, __proto__x: true } })]);
    expect(raw).toContain("\\ud800");
    expect((await postRaw(raw)).status).toBe(204);
    expect((await list())[0]?.payload).toEqual({ text: "a\0b\ud800c", "\0": 1, __proto__x: true });
  });

  it("drops its oldest beyond 10,000 events", async () => {
    await registry.ctx.db.$executeRaw`
      INSERT INTO registry_event ("deviceUuid", "eventId", "eventType", "eventVersion", "deviceTime", "receivedAt", payload)
      SELECT ${uuid}::uuid, 'old ' || n, 'x', 0, now(), ${START}::timestamptz - n * interval '1 s', '{}'
      FROM generate_series(1, 10100) AS n`;
    await post([event()]);
    expect(await registry.ctx.db.registryEvent.count({ where: { deviceUuid: uuid } })).toBe(10_000);
  });
});

describe("a bad event", () => {
  it.each([
    ["no object", 7],
    ["null", null],
    ["no id", { ...event(), id: undefined }],
    ["a wrong time", { ...event(), deviceTime: "yesterday" }],
    ["a wrong version", { ...event(), eventType: { id: "x", version: "0" } }],
    ["a payload that is no object", { ...event(), event: [] }],
    ["more than 64 KiB", event({ event: { text: "x".repeat(70_000) } })],
  ])("(%s) is quarantined, and the good ones beside it are kept", async (_what, bad) => {
    const good = event();
    expect((await post([bad, good])).status).toBe(204);
    expect((await list()).map(({ eventId }) => eventId)).toEqual([good.id]);
    expect(await quarantined()).toHaveLength(1);
  });

  it("nested deeper than the stack is quarantined too", async () => {
    const deep = "[".repeat(20_000) + "]".repeat(20_000);
    const good = event();
    const raw = `[{"id":"deep","event":${deep}},${JSON.stringify(good)}]`;
    expect((await postRaw(raw)).status).toBe(204);
    expect((await list()).map(({ eventId }) => eventId)).toEqual([good.id]);
  });

  it("in bytes that are no UTF-8 does not hold back the others", async () => {
    const good = event();
    const strange = Buffer.from(JSON.stringify([event({ id: "QQ" }), good]).replace("QQ", "Q\u00ffQ"), "latin1");
    expect((await postRaw(strange)).status).toBe(204);
    expect(await list()).toHaveLength(2);
  });

  it("is kept at most 200 times a device", async () => {
    for (let turn = 0; turn < 6; turn += 1) await post(Array.from({ length: 60 }, () => ({ turn })));
    expect(await quarantined()).toHaveLength(200);
  });
});

describe("a post that is too large", () => {
  it("is 413 with an empty body, so that the client halves it: by bytes", async () => {
    const answer = await postRaw(`[${" ".repeat(4_194_400)}]`);
    expect([answer.status, answer.body]).toEqual([413, ""]);
  });

  it("is 413 with an empty body: by number", async () => {
    const answer = await post(Array.from({ length: 501 }, () => event()));
    expect([answer.status, answer.body]).toEqual([413, ""]);
    expect(await list()).toEqual([]);
  });
});

describe("what is no list of events", () => {
  it.each(["{}", "7", "null", "", "[", "nonsense"])("(%j) is 400 and stores nothing", async (raw) => {
    expect((await postRaw(raw)).status).toBe(400);
    expect(await quarantined()).toEqual([]);
  });

  it("of another content type is 415", async () => {
    const answer = await registry.call("POST", `/api/v1/devices/${uuid}/events`, { raw: "[]", type: "text/plain" });
    expect(answer.status).toBe(415);
  });
});

describe("a device's way", () => {
  it("follows its events from download to reboot, and is never updated by them", async () => {
    await assign();
    for (const [type, status] of [
      ["EcuDownloadStarted", "downloading"],
      ["EcuDownloadCompleted", "downloading"],
      ["EcuInstallationStarted", "installing"],
      ["EcuInstallationApplied", "rebooting"],
      ["EcuInstallationCompleted", "rebooting"],
    ] as const) {
      await post([of(type, { success: true })]);
      expect([type, (await fleetRow()).status]).toEqual([type, status]);
    }
  });

  it("is not moved by an event sent again after a newer one", async () => {
    await assign();
    const download = of("EcuDownloadStarted");
    await post([download]);
    await post([of("EcuInstallationStarted")]);
    const before = await registry.ctx.db.fleetActivity.count({ where: { deviceUuid: uuid } });
    await post([download]);
    expect((await fleetRow()).status).toBe("installing");
    expect(await registry.ctx.db.fleetActivity.count({ where: { deviceUuid: uuid } })).toBe(before);
  });

  it("is not moved by events without a correlation id or of one that nobody assigned", async () => {
    await assign();
    await post([event({ event: { ecu: "primary" } }), event({ event: { correlationId: "urn:other" } })]);
    expect((await fleetRow()).status).toBe("assigned");
  });

  it("survives NUL in every text of an event", async () => {
    await assign();
    const text = "\0\ud800";
    const strange = { ...of("EcuDownloadStarted"), id: text, event: { ecu: text, correlationId: CORRELATION } };
    expect((await post([strange])).status).toBe(204);
    expect((await fleetRow()).status).toBe("downloading");
  });
});

describe("a deleted device", () => {
  it("gets 404, upon which its client discards what has no home any more", async () => {
    await registry.call("DELETE", `/api/v1/devices/${uuid}`);
    const answer = await post([event()]);
    expect([answer.status, answer.json()]).toMatchObject([404, { code: "missing_device" }]);
  });
});
