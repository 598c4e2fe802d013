import { randomUUID } from "node:crypto";
import { DeviceEvent, EVENT_MAX_BYTES, EVENTS_PER_POST } from "#lib/contracts/ota/device-registry.ts";
import type { Ctx } from "#lib/ctx.ts";
import { storableText } from "#lib/domain/storable-text.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { recordProgressEverywhere } from "#services/rollouts/service.ts";
import { missingDevice } from "./devices.ts";
import { lockDevice } from "./store-devices.ts";
import * as store from "./store-events.ts";

const MAX_DEPTH = 64;
const MAX_QUARANTINED_PER_POST = 50;
/** A usual post has a handful; more than this at once is a backlog, of which only the end still matters. */
const MAX_STEPS_PER_POST = 50;

/**
 * Keeps a device's events, each once, and moves the device by those that are new. Never "updated": only a signed manifest says so.
 *
 * @param posted the parsed body; it must be an array, its elements may be anything
 * @throws AppError `ota.payload_too_large` (more than 500) | `ota.invalid_entity` (no array) | `device.not_found`
 * @see contracts/aktualizr-client.md section 8
 */
export async function acceptEvents(ctx: Ctx, deviceUuid: string, posted: unknown): Promise<void> {
  if (!Array.isArray(posted)) throw new AppError("ota.invalid_entity", "The body must be an array of events.");
  if (posted.length > EVENTS_PER_POST)
    throw new AppError("ota.payload_too_large", `More than ${EVENTS_PER_POST} events at once.`);
  const judged = posted.map(judge);
  const good = new Map(
    judged.flatMap((event) => (event.kind === "good" ? [[event.row.eventId, event.row] as const] : [])),
  );
  const bad = judged.flatMap((event) => (event.kind === "bad" ? [{ ...event.row, id: randomUUID() }] : []));
  const at = ctx.clock();
  await ctx.db.$transaction(async (tx) => {
    if (!(await lockDevice(tx, ctx.namespaceId, deviceUuid))) throw missingDevice();
    const fresh = await store.upsertEvents(tx, { deviceUuid, at }, [...good.values()]);
    await store.insertQuarantined(tx, { deviceUuid, at }, bad.slice(0, MAX_QUARANTINED_PER_POST));
    const news = [...good.values()].filter(({ eventId }) => fresh.has(eventId));
    for (const step of news.flatMap(toStep).slice(-MAX_STEPS_PER_POST)) {
      await recordProgressEverywhere(tx, ctx.namespaceId, { ...step, deviceUuid, at });
    }
  });
  if (bad.length > 0)
    ctx.log.warn({ deviceUuid, quarantined: bad.length }, "a device sent events that no schema accepts");
}

type Judged = { kind: "good"; row: store.NewEvent } | { kind: "bad"; row: { reason: string; body: Buffer } };

function judge(element: unknown): Judged {
  if (isDeeperThan(element, MAX_DEPTH)) return quarantine("deeper than 64 levels", Buffer.alloc(0));
  const body = Buffer.from(JSON.stringify(element) ?? "null");
  if (body.length > EVENT_MAX_BYTES) return quarantine("longer than 64 KiB", body.subarray(0, EVENT_MAX_BYTES));
  const parsed = DeviceEvent.safeParse(element);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return quarantine(`${issue?.path.map(String).join(".") ?? ""}: ${issue?.message ?? "not an event"}`, body);
  }
  return { kind: "good", row: toRow(parsed.data) };
}

function quarantine(reason: string, body: Buffer): Judged {
  return { kind: "bad", row: { reason: storableText(reason, 500), body } };
}

function toRow(event: DeviceEvent): store.NewEvent {
  const { correlationId, campaignId, ecu } = event.event;
  const indexed = event.eventType.version === 0 && INDEXED.has(event.eventType.id) ? event.eventType.id : null;
  const campaign = CAMPAIGN_EVENTS.get(event.eventType.id);
  return {
    eventId: storableText(event.id),
    eventType: storableText(event.eventType.id),
    eventVersion: event.eventType.version,
    deviceTime: event.deviceTime,
    indexedType: indexed === null ? null : (campaign ?? indexed),
    correlationId:
      campaign === undefined
        ? textOrNull(indexed === null || indexed === "DownloadComplete" ? null : correlationId)
        : textOrNull(typeof campaignId === "string" ? `urn:here-ota:campaign:${campaignId}` : null),
    ecu: textOrNull(event.ecu ?? ecu),
    success: event.event.success !== false,
    payload: Buffer.from(JSON.stringify(event.event)),
  };
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? storableText(value, 200) : null;
}

/** Section 3 of the contract: these, at version 0, are found by their correlation id. */
const INDEXED = new Set([
  "DownloadComplete",
  "InstallationComplete",
  "EcuDownloadStarted",
  "EcuDownloadCompleted",
  "EcuInstallationStarted",
  "EcuInstallationApplied",
  "EcuInstallationCompleted",
  "DevicePaused",
  "DeviceResumed",
  "campaign_accepted",
  "campaign_declined",
  "campaign_postponed",
]);

const CAMPAIGN_EVENTS = new Map([
  ["campaign_accepted", "CampaignAccepted"],
  ["campaign_declined", "CampaignDeclined"],
  ["campaign_postponed", "CampaignPostponed"],
]);

type Step = { kind: "downloading" | "installing" | "rebooting"; correlationId: string; text: string };

/** Where an event puts the device. The device's own word, unsigned: it never concludes an update. */
function toStep(event: store.NewEvent): Step[] {
  const { correlationId, ecu } = event;
  if (correlationId === null || event.indexedType === null) return [];
  const who = ecu === null ? "It" : `ECU ${shortSerial(ecu)}`;
  const step = (kind: Step["kind"], text: string) => [{ kind, correlationId, text: `${who} ${text}` }];
  switch (event.indexedType) {
    case "EcuDownloadStarted":
      return step("downloading", "downloads; installing comes next.");
    case "EcuDownloadCompleted":
      return step(
        "downloading",
        event.success ? "has downloaded; installing comes next." : "could not download; its report comes next.",
      );
    case "EcuInstallationStarted":
      return step("installing", "installs; its signed report comes next.");
    case "EcuInstallationApplied":
      return step("rebooting", "has installed and waits for its reboot.");
    case "EcuInstallationCompleted":
      return step(
        "installing",
        event.success
          ? "has installed; its signed report comes next."
          : "could not install; its signed report comes next.",
      );
    default:
      return [];
  }
}

/** Serials are often whole digests; the sentence needs only to tell one ECU of a device from another. */
function shortSerial(serial: string): string {
  return serial.length > 20 ? `${serial.slice(0, 8)}…` : serial;
}

/** Without recursion: the value may be as deep as its bytes allow. */
function isDeeperThan(value: unknown, maxDepth: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= maxDepth; depth += 1) {
    level = level.flatMap((part) => (typeof part === "object" && part !== null ? Object.values(part) : []));
    if (level.length === 0) return false;
  }
  return true;
}
