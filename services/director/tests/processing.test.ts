import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import type { JsonObject } from "#lib/uptane/json.ts";
import type { Signer } from "#lib/uptane/keys.ts";
import type { InstallationReport } from "#lib/uptane/manifest.ts";
import {
  assign,
  enrol,
  NEW,
  OTHER,
  reportOf,
  seen,
  startDirector,
  type TestDevice,
  type TestDirector,
} from "./harness.ts";

/* The table of manifest processing over the wire: signed manifests in, what registry and devices are told out. */

let director: TestDirector;
beforeAll(async () => {
  director = await startDirector();
});
afterAll(() => director.stop());

type Ids = { own: string; other: string; foreign: string };
type Row = {
  name: string;
  /** Which of the two assigned ECUs run by now what was assigned. */
  installed: ("primary" | "secondary")[];
  send: (device: TestDevice, ids: Ids) => Buffer;
  /** Correlation ids of assignments that stay. */
  open: (keyof Ids)[];
  /** Of the others: successful, canceled. */
  ended: [successful: boolean, canceled: boolean];
  outdated: boolean;
  /** The code that registry and updates end with; the last message counts. */
  codes: Partial<Record<keyof Ids, string>>;
};

const failure = (correlationId: string) => reportOf(correlationId, { success: false, code: "DOWNLOAD_FAILED" });
const success = (correlationId: string) => reportOf(correlationId, { success: true, code: "OK" });
const report = (make: (id: string) => InstallationReport, id: keyof Ids) => (device: TestDevice, ids: Ids) =>
  device.manifest(make(ids[id]));
const unreadable = (device: TestDevice) => device.manifest(failure(""));

const DONE: [boolean, boolean] = [true, false];
const FAILED: [boolean, boolean] = [false, false];
const DROPPED: [boolean, boolean] = [false, true];

/** contracts/director.md section 5, point 4; `own` is assigned to the primary, `other` to the secondary. */
const TABLE: Row[] = [
  {
    name: "absent, nothing installed",
    installed: [],
    send: (device) => device.manifest(),
    open: ["own", "other"],
    ended: DONE,
    outdated: false,
    codes: {},
  },
  {
    name: "absent, one installed",
    installed: ["primary"],
    send: (device) => device.manifest(),
    open: ["other"],
    ended: DONE,
    outdated: false,
    codes: { own: "0" },
  },
  {
    name: "absent, all installed",
    installed: ["primary", "secondary"],
    send: (device) => device.manifest(),
    open: [],
    ended: DONE,
    outdated: false,
    codes: { own: "0", other: "0" },
  },
  {
    name: "absent, form v2, one installed, result 1",
    installed: ["primary"],
    send: (device) => older(device, "v2", 1),
    open: ["other"],
    ended: DONE,
    outdated: false,
    codes: { own: "0" },
  },
  {
    name: "absent, form v2, one installed, result 4",
    installed: ["primary"],
    send: (device) => older(device, "v2", 4),
    open: ["other"],
    ended: DONE,
    outdated: false,
    codes: { own: "19" },
  },
  {
    name: "absent, form v1, one installed, result 0",
    installed: ["primary"],
    send: (device) => older(device, "v1", 0),
    open: ["other"],
    ended: DONE,
    outdated: false,
    codes: { own: "0" },
  },
  {
    name: "absent, form v1, one installed, result 4",
    installed: ["primary"],
    send: (device) => older(device, "v1", 4),
    open: ["other"],
    ended: DONE,
    outdated: false,
    codes: { own: "19" },
  },
  {
    name: "unparsable, nothing installed",
    installed: [],
    send: unreadable,
    open: [],
    ended: DROPPED,
    outdated: false,
    codes: { own: "102", other: "102" },
  },
  {
    name: "unparsable, one installed",
    installed: ["secondary"],
    send: unreadable,
    open: [],
    ended: FAILED,
    outdated: false,
    codes: { own: "102", other: "102" },
  },
  {
    name: "failed, nothing installed: 101 first, the device's own code last",
    installed: [],
    send: report(failure, "own"),
    open: [],
    ended: DROPPED,
    outdated: true,
    codes: { own: "DOWNLOAD_FAILED", other: "101" },
  },
  {
    name: "failed, the other one installed",
    installed: ["secondary"],
    send: report(failure, "own"),
    open: [],
    ended: FAILED,
    outdated: true,
    codes: { own: "DOWNLOAD_FAILED", other: "DOWNLOAD_FAILED" },
  },
  {
    name: "failed under an id of nobody, nothing installed",
    installed: [],
    send: report(failure, "foreign"),
    open: [],
    ended: DROPPED,
    outdated: true,
    codes: { own: "101", other: "101", foreign: "DOWNLOAD_FAILED" },
  },
  {
    name: "success, nothing installed",
    installed: [],
    send: report(success, "own"),
    open: [],
    ended: DROPPED,
    outdated: true,
    codes: { own: "101", other: "101" },
  },
  {
    name: "success under an id of nobody, nothing installed",
    installed: [],
    send: report(success, "foreign"),
    open: [],
    ended: DROPPED,
    outdated: true,
    codes: { own: "101", other: "101", foreign: "OK" },
  },
  {
    name: "success, one installed",
    installed: ["primary"],
    send: report(success, "own"),
    open: ["other"],
    ended: DONE,
    outdated: false,
    codes: { own: "OK" },
  },
  {
    name: "success under an id of nobody, one installed",
    installed: ["primary"],
    send: report(success, "foreign"),
    open: ["other"],
    ended: DONE,
    outdated: false,
    codes: { own: "OK", foreign: "OK" },
  },
];

describe("the table of manifest processing, over the wire", () => {
  for (const row of TABLE) {
    it(row.name, async () => {
      const device = await enrol(director, { hardwareIds: ["rpi4", "sensor"] });
      const own = (await assign(director, [device], { rpi4: { to: NEW } })).correlationId;
      const other = (await assign(director, [device], { sensor: { to: OTHER } })).correlationId;
      const ids = { own, other, foreign: own.replace(/.{12}$/, "0123456789ab") };
      await device.fetch();
      if (row.installed.includes("primary")) device.primary.installed = NEW;
      if (row.installed.includes("secondary")) device.ecu(1).installed = OTHER;
      expect((await device.send(row.send(device, ids))).status).toBe(200);
      const after = await seen(director, device);
      expect(after.open.map(({ correlationId }) => correlationId).sort()).toEqual(row.open.map((id) => ids[id]).sort());
      expect(after.processed).toHaveLength(2 - row.open.length);
      for (const { successful, canceled } of after.processed) expect([successful, canceled]).toEqual(row.ended);
      expect(after.outdated).toBe(row.outdated);
      const codes = Object.entries(row.codes).map(([id, code]) => [ids[id as keyof Ids], code]);
      expect(after.reports).toEqual(Object.fromEntries(codes));
      const last = Object.values(row.codes).at(-1);
      if (row.open.length === 0) expect(after.registryStatus).toBe(isGood(last) ? "UpToDate" : "Error");
    });
  }
});

const isGood = (code: string | undefined) => code === "0" || code === "OK";

/** What devices sent before installation reports: an outcome an ECU, in an array (v1) or by serial (v2). */
function older(device: TestDevice, form: "v1" | "v2", resultCode: number): Buffer {
  const sign = (signed: JsonObject, signer: Signer): JsonObject => ({
    signatures: [{ keyid: "k", method: "ed25519", sig: signer.sign(canonicalBytes(signed)) }],
    signed,
  });
  const ecus = device.ecus.map(({ serial, signer, installed: { filepath, sha256, length } }): [string, JsonObject] => [
    serial,
    sign(
      {
        attacks_detected: "",
        custom: { operation_result: { id: "op", result_code: resultCode, result_text: "text" } },
        ecu_serial: serial,
        installed_image: { filepath, fileinfo: { hashes: { sha256 }, length } },
      },
      signer,
    ),
  ]);
  const reports: JsonObject =
    form === "v1"
      ? { ecu_version_manifest: ecus.map(([, ecu]) => ecu) }
      : { ecu_version_manifests: Object.fromEntries(ecus) };
  return canonicalBytes(sign({ ...reports, primary_ecu_serial: device.primary.serial }, device.primary.signer));
}
