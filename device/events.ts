import { randomUUID } from "node:crypto";
import type { Device } from "#device/device.ts";
import { isOk } from "#device/http.ts";
import { FULL_EVENT_BATCH } from "#device/state.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import { formatExpires } from "#lib/uptane/expiry.ts";

export type EcuEventType =
  | "EcuDownloadStarted"
  | "EcuDownloadCompleted"
  | "EcuInstallationStarted"
  | "EcuInstallationCompleted";

/** Enough for weeks offline; the oldest go first. */
const MAX_QUEUED = 1_000;

/**
 * Puts an event into the stored queue. Its id is made here and stays the same however often it is sent. The caller saves.
 *
 * @see contracts/aktualizr-client.md section 8
 */
export function queueEvent(
  device: Device,
  type: EcuEventType,
  fields: { readonly ecu: string; readonly correlationId: string | null; readonly success?: boolean },
): void {
  const { events } = device.store.state;
  events.push({
    id: randomUUID(),
    deviceTime: formatExpires(device.clock()),
    eventType: { id: type, version: 0 },
    event: {
      ecu: fields.ecu,
      ...(fields.correlationId === null ? {} : { correlationId: fields.correlationId }),
      ...(fields.success === undefined ? {} : { success: fields.success }),
    },
  });
  if (events.length > MAX_QUEUED) events.splice(0, events.length - MAX_QUEUED);
}

/**
 * Sends what is queued, after saving it. Accepted events are dropped, and those answered with 404 too; 413 halves the
 * batch and drops a single event that is too large; after anything else all stay for next time. Never fails the cycle.
 */
export async function flushEvents(device: Device): Promise<void> {
  const { state } = device.store;
  await device.store.save();
  while (state.events.length > 0) {
    const batch = state.events.slice(0, state.eventBatch);
    const status = await send(device, canonicalBytes(batch));
    if (status === 413 && batch.length > 1) state.eventBatch = Math.ceil(batch.length / 2);
    else if (isOk(status) || status === 404 || status === 413) {
      state.events.splice(0, batch.length);
      state.eventBatch = FULL_EVENT_BATCH;
    } else return;
    await device.store.save();
  }
}

/** @returns the status, 0 when the gateway was not reached */
async function send(device: Device, body: Buffer): Promise<number> {
  try {
    return (await device.http.call({ method: "POST", path: "/events", body })).status;
  } catch (error) {
    if (isAppError(error)) return 0;
    throw error;
  }
}
