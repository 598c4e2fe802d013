import { describe, expect, it } from "vitest";
import type { InstallationReport, OperationResult } from "#lib/uptane/manifest.ts";
import { decideOutcome, type EarlierFate, type OpenAssignment } from "./outcome.ts";

const uuid = (digit: string) => `${digit.repeat(8)}-0000-4000-8000-000000000000`;
const X = `urn:here-ota:mtu:${uuid("1")}`;
const Y = `urn:here-ota:campaign:${uuid("2")}`;
const Z = `urn:here-ota:mtu:${uuid("3")}`;
const sha = (letter: string) => letter.repeat(64);

const onPrimary: OpenAssignment = { ecuSerial: "P", correlationId: X, filename: "new", sha256: sha("b") };
const onSecondary: OpenAssignment = { ecuSerial: "S", correlationId: Y, filename: "new-s", sha256: sha("c") };

type Reported = { image?: string; sha256?: string; operation?: number };
function ecu(serial: string, { image = "old", sha256 = sha("a"), operation }: Reported = {}) {
  const operationResult: OperationResult | null =
    operation === undefined ? null : { id: "op", resultCode: operation, resultText: "text" };
  return { serial, installedImage: { filepath: image, sha256 }, operationResult };
}
const hasNew = { image: "new", sha256: sha("b") };

function report(
  correlationId: string,
  success: boolean,
  code = success ? "OK" : "DOWNLOAD_FAILED",
): InstallationReport {
  const result = { success, code, description: "d" };
  return {
    correlationId,
    result,
    items: [
      { ecu: "P", result },
      { ecu: "stranger", result },
    ],
    rawReport: "raw",
  };
}

function decide(of: {
  assignments?: readonly OpenAssignment[];
  ecus?: ReturnType<typeof ecu>[];
  report?: InstallationReport | "unreadable";
  earlier?: EarlierFate;
}) {
  const given = of.report;
  return decideOutcome({
    assignments: of.assignments ?? [onPrimary],
    ecus: of.ecus ?? [ecu("P")],
    report:
      given === undefined
        ? { kind: "absent" }
        : given === "unreadable"
          ? { kind: "unreadable", raw: { broken: true } }
          : { kind: "present", report: given },
    earlier: of.earlier ?? "none",
  });
}

type Row = {
  name: string;
  given: Parameters<typeof decide>[0];
  closed: [serial: string, successful: boolean, canceled: boolean][];
  outdated: boolean;
  completions: [correlationId: string, success: boolean, code: string][];
};

/** contracts/director.md section 5, point 4. */
const TABLE: Row[] = [
  { name: "no report, nothing installed: all stay", given: {}, closed: [], outdated: false, completions: [] },
  {
    name: "no report, installed: processed as successful with code 0",
    given: { ecus: [ecu("P", hasNew)] },
    closed: [["P", true, false]],
    outdated: false,
    completions: [[X, true, "0"]],
  },
  {
    name: "no report, one of two installed: the other stays",
    given: { assignments: [onPrimary, onSecondary], ecus: [ecu("P", hasNew), ecu("S")] },
    closed: [["P", true, false]],
    outdated: false,
    completions: [[X, true, "0"]],
  },
  {
    name: "no report, installed with the right name and another hash: not installed",
    given: { ecus: [ecu("P", { image: "new", sha256: sha("f") })] },
    closed: [],
    outdated: false,
    completions: [],
  },
  {
    name: "no report, installed, an operation result other than 0 and 1: failure 19",
    given: { ecus: [ecu("P", { ...hasNew, operation: 1 }), ecu("S", { operation: 4 })] },
    closed: [["P", true, false]],
    outdated: false,
    completions: [[X, false, "19"]],
  },
  {
    name: "no report, installed, operation results 0 and 1: success",
    given: { ecus: [ecu("P", { ...hasNew, operation: 0 }), ecu("S", { operation: 1 })] },
    closed: [["P", true, false]],
    outdated: false,
    completions: [[X, true, "0"]],
  },
  {
    name: "unparsable, nothing installed: all failed and canceled, code 102",
    given: { assignments: [onPrimary, onSecondary], report: "unreadable" },
    closed: [
      ["P", false, true],
      ["S", false, true],
    ],
    outdated: false,
    completions: [
      [X, false, "102"],
      [Y, false, "102"],
    ],
  },
  {
    name: "unparsable, something installed: all failed, none canceled",
    given: { assignments: [onPrimary, onSecondary], ecus: [ecu("P", hasNew)], report: "unreadable" },
    closed: [
      ["P", false, false],
      ["S", false, false],
    ],
    outdated: false,
    completions: [
      [X, false, "102"],
      [Y, false, "102"],
    ],
  },
  {
    name: "a correlation id outside the grammar counts as unparsable",
    given: { report: report("urn:somebody:else", true) },
    closed: [["P", false, true]],
    outdated: false,
    completions: [[X, false, "102"]],
  },
  {
    name: "failed, nothing installed: all dropped, 101 for each, then the report's own code last",
    given: { assignments: [onPrimary, onSecondary], report: report(X, false) },
    closed: [
      ["P", false, true],
      ["S", false, true],
    ],
    outdated: true,
    completions: [
      [X, false, "101"],
      [Y, false, "101"],
      [X, false, "DOWNLOAD_FAILED"],
    ],
  },
  {
    name: "failed, one installed: all failed, the report's code for the installed one and its own id, 101 for the silent rest",
    given: {
      assignments: [onPrimary, onSecondary],
      ecus: [ecu("P", hasNew), ecu("S")],
      report: report(X, false, "sensor:INSTALL_FAILED"),
    },
    closed: [
      ["P", false, false],
      ["S", false, false],
    ],
    outdated: true,
    completions: [
      [Y, false, "101"],
      [X, false, "sensor:INSTALL_FAILED"],
    ],
  },
  {
    name: "failed, installed under one id, reported under another: both get the report's code",
    given: { ecus: [ecu("P", hasNew)], report: report(Z, false) },
    closed: [["P", false, false]],
    outdated: true,
    completions: [
      [X, false, "DOWNLOAD_FAILED"],
      [Z, false, "DOWNLOAD_FAILED"],
    ],
  },
  {
    name: "success, nothing installed: all canceled with 101, not a word of success for them",
    given: { report: report(X, true) },
    closed: [["P", false, true]],
    outdated: true,
    completions: [[X, false, "101"]],
  },
  {
    name: "success under another id, nothing installed: 101 for the assignment, the report for its own id",
    given: { report: report(Z, true) },
    closed: [["P", false, true]],
    outdated: true,
    completions: [
      [X, false, "101"],
      [Z, true, "OK"],
    ],
  },
  {
    name: "success, installed: processed, the report's result",
    given: { ecus: [ecu("P", hasNew)], report: report(X, true) },
    closed: [["P", true, false]],
    outdated: false,
    completions: [[X, true, "OK"]],
  },
  {
    name: "success, one of two installed: the other stays",
    given: {
      assignments: [onPrimary, onSecondary],
      ecus: [ecu("P", hasNew), ecu("S")],
      report: report(Z, true),
    },
    closed: [["P", true, false]],
    outdated: false,
    completions: [
      [X, true, "OK"],
      [Z, true, "OK"],
    ],
  },
];

describe("the table of manifest processing", () => {
  for (const row of TABLE) {
    it(row.name, () => {
      const outcome = decide(row.given);
      const closed = outcome.closed.map(({ assignment, successful, canceled }) => [
        assignment.ecuSerial,
        successful,
        canceled,
      ]);
      expect(closed).toEqual(row.closed);
      expect(outcome.outdated).toBe(row.outdated);
      const completions = outcome.completions.map(({ correlationId, result }) => [
        correlationId,
        result.success,
        result.code,
      ]);
      expect(completions).toEqual(row.completions);
    });
  }

  it("keeps items of ECUs the manifest speaks for, with what they have installed, and the raw report", () => {
    const { completions } = decide({ ecus: [ecu("P", hasNew)], report: report(X, true) });
    expect(completions[0]).toMatchObject({ ecuReports: { P: { target: ["new"] } }, rawReport: "raw" });
    expect(Object.keys(completions[0]?.ecuReports ?? {})).toEqual(["P"]);
  });

  it("turns operation results into the report of each ECU", () => {
    const { completions } = decide({ ecus: [ecu("P", { ...hasNew, operation: 0 }), ecu("S", { operation: 4 })] });
    expect(completions[0]?.ecuReports).toEqual({
      P: { result: { success: true, code: "0", description: "text" }, target: ["new"] },
      S: { result: { success: false, code: "4", description: "text" }, target: ["old"] },
    });
  });

  it("gives an unparsable report as it came", () => {
    expect(decide({ report: "unreadable" }).completions[0]?.rawReport).toBe('{"broken":true}');
  });
});

describe("a report that comes again", () => {
  it("is no report once its id is concluded, whatever is assigned by now", () => {
    for (const success of [true, false]) {
      const outcome = decide({ report: report(Z, success), earlier: "concluded" });
      expect(outcome).toEqual(decide({}));
    }
  });

  it("is passed on when a person cancelled its id, and leaves later assignments alone", () => {
    const outcome = decide({ report: report(Z, false), earlier: "cancelled" });
    expect(outcome.closed).toEqual([]);
    expect(outcome.outdated).toBe(false);
    expect(outcome.completions.map(({ correlationId, result }) => [correlationId, result.code])).toEqual([
      [Z, "DOWNLOAD_FAILED"],
    ]);
  });

  it("counts in full while an assignment of its id is open, whatever came before", () => {
    const outcome = decide({ report: report(X, false), earlier: "concluded" });
    expect(outcome.closed).toHaveLength(1);
  });
});
