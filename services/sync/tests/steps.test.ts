import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { QueueItem } from "#lib/contracts/ota/director.ts";
import type { FleetEcu, SyncedRow } from "#services/fleet/service.ts";
import { decideSteps, type Observed } from "#services/sync/steps.ts";

const NOW = new Date("2026-03-01T12:00:00Z");
const LONG_AGO = new Date("2026-03-01T11:00:00Z");
const OURS = "urn:here-ota:mtu:11111111-1111-4111-8111-111111111111";
const OTHER = "urn:here-ota:mtu:22222222-2222-4222-8222-222222222222";
const OLD = { filename: "app_1", sha256: "1".repeat(64), length: 10 };
const NEW = { filename: "app_2", sha256: "2".repeat(64), length: 20 };

const ecu = (installed: FleetEcu["installed"], assigned: FleetEcu["assigned"] = null): FleetEcu => ({
  serial: "e",
  hardwareId: "rpi4",
  primary: true,
  installed,
  assigned,
});
const queued = (correlationId: string, inFlight: boolean): QueueItem => ({
  correlationId,
  inFlight,
  targets: {
    e: {
      image: { filepath: NEW.filename, fileinfo: { hashes: { sha256: NEW.sha256 }, length: NEW.length } },
      uri: null,
      createdAt: "",
    },
  },
});
const report = (success: boolean) => ({ correlationId: OURS, result: { success, code: "7", description: "why" } });
const row = (change: Partial<SyncedRow> = {}): SyncedRow => ({
  status: "up_to_date",
  correlationId: null,
  lastSeenAt: NOW,
  lastManifestAt: NOW,
  certificateFingerprint: null,
  ecus: [ecu(OLD)],
  ...change,
});
const ended = (outcome: "succeeded" | "failed" | "cancelled", correlationId = OURS) => ({
  ended: [{ ecuSerial: "e", correlationId, outcome, code: "19" }],
});
const UNDER_WAY = row({ status: "assigned", correlationId: OURS, ecus: [ecu(OLD, NEW)] });

function decide(change: Partial<Observed>) {
  const decided = decideSteps({
    uuid: randomUUID(),
    now: NOW,
    row: row(),
    queue: [],
    ecus: [ecu(OLD)],
    events: [],
    reports: [],
    registryStatus: "UpToDate",
    ended: [],
    targets: null,
    goneSince: null,
    ...change,
  });
  const steps = decided.steps.map(({ kind, correlationId, code }) =>
    [kind, correlationId, code].filter((x) => x != null),
  );
  return { steps: steps.map((step) => step.join(" ")), goneSince: decided.goneSince };
}

const BEFORE_REPORTED = row({ status: "never_seen", lastManifestAt: null });

describe("what external back ends say of a device", () => {
  it.each<[string, Partial<Observed>, string[]]>([
    ["nothing new", {}, []],
    ["has registered, and nothing more", { row: BEFORE_REPORTED, ecus: [ecu(null)] }, []],
    ["reports for the first time", { row: BEFORE_REPORTED }, ["idle"]],
    [
      "had failed when it was found",
      { row: BEFORE_REPORTED, registryStatus: "Error", reports: [report(false)] },
      ["failed 7"],
    ],
    ["is assigned an update by somebody else", { queue: [queued(OTHER, false)] }, [`assigned ${OTHER}`]],
    ["has fetched one", { queue: [queued(OTHER, true)] }, [`assigned ${OTHER}`, `seen_assignment ${OTHER}`]],
    ["waits", { row: UNDER_WAY, queue: [queued(OURS, false)] }, []],
    [
      "installs",
      { row: UNDER_WAY, queue: [queued(OURS, true)], events: ["EcuDownloadStarted", "EcuInstallationStarted"] },
      [`seen_assignment ${OURS}`, `installing ${OURS}`],
    ],
    [
      "says that it is done, unsigned",
      { row: UNDER_WAY, queue: [queued(OURS, true)], events: ["EcuInstallationCompleted"] },
      [`seen_assignment ${OURS}`],
    ],
    ["runs what was assigned", { row: UNDER_WAY, ecus: [ecu(NEW)] }, [`updated ${OURS}`]],
    [
      "runs what our update wanted, though its queue was never seen",
      { row: row({ correlationId: OURS }), ecus: [ecu(NEW)], targets: new Map([["rpi4", "app_2"]]) },
      [`updated ${OURS}`],
    ],
    ["runs the name with other bytes", { row: UNDER_WAY, ecus: [ecu({ ...NEW, sha256: OLD.sha256 })] }, []],
    ["has a success reported, but does not run it", { row: UNDER_WAY, reports: [report(true)] }, []],
    ["has failed, by report", { row: UNDER_WAY, reports: [report(false)] }, [`failed ${OURS} 7`]],
    [
      "has failed, and the next update waits",
      { row: UNDER_WAY, reports: [report(false)], queue: [queued(OTHER, false)] },
      [`failed ${OURS} 7`, `assigned ${OTHER}`],
    ],
    ["has failed, by its director alone", { row: UNDER_WAY, ...ended("failed") }, [`failed ${OURS} 19`]],
    ["had it taken back, by its director", { row: UNDER_WAY, ...ended("cancelled") }, [`cancelled ${OURS}`]],
    [
      "had it taken back, and installed it all the same",
      { row: UNDER_WAY, ...ended("cancelled"), ecus: [ecu(NEW)] },
      [`updated ${OURS}`],
    ],
    ["has failed at another update", { row: UNDER_WAY, ...ended("failed", OTHER) }, []],
    ["has a success by its director, but does not run it", { row: UNDER_WAY, ...ended("succeeded") }, []],
    ["has lost its assignment just now", { row: UNDER_WAY }, []],
    ["had its assignment taken back", { row: UNDER_WAY, goneSince: LONG_AGO }, [`cancelled ${OURS}`]],
    [
      "lost its assignment, and nobody says why",
      { row: UNDER_WAY, goneSince: LONG_AGO, registryStatus: null, reports: null },
      [`failed ${OURS} dropped`],
    ],
    [
      "is followed by an embedded director, so only events of the registry count",
      { row: UNDER_WAY, queue: null, ecus: null, events: ["EcuInstallationApplied"] },
      [`rebooting ${OURS}`],
    ],
  ])("a device that %s", (_what, change, expected) => {
    expect(decide(change).steps).toEqual(expected);
  });

  it("an assignment that is gone is looked for again until somebody says how it ended", () => {
    expect(decide({ row: UNDER_WAY }).goneSince).toEqual(NOW);
    expect(decide({ row: UNDER_WAY, goneSince: LONG_AGO }).goneSince).toBeNull();
    expect(decide({ row: UNDER_WAY, queue: [queued(OURS, false)], goneSince: LONG_AGO }).goneSince).toBeNull();
  });
});
