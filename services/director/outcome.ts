import { isCorrelationId } from "#lib/contracts/ota/common.ts";
import type { Json } from "#lib/uptane/json.ts";
import type { InstallationReport, InstallationResult, OperationResult, ReportOutcome } from "#lib/uptane/manifest.ts";

/** What is to be decided on: one ECU's assignment, as stored. */
export type OpenAssignment = {
  readonly ecuSerial: string;
  readonly correlationId: string;
  readonly filename: string;
  readonly sha256: string;
};

/** What one ECU of a verified manifest says of itself. */
export type ReportedEcu = {
  readonly serial: string;
  readonly installedImage: { readonly filepath: string; readonly sha256: string };
  readonly operationResult: OperationResult | null;
};

export type EcuResult = { readonly result: InstallationResult; readonly target: readonly string[] };

/** One *DeviceUpdateCompleted*. */
export type Completion = {
  readonly correlationId: string;
  readonly result: InstallationResult;
  readonly ecuReports: Readonly<Record<string, EcuResult>>;
  readonly rawReport: string | null;
};

/** An assignment that ends here. `canceled` means: dropped by the director, not concluded by the device. */
export type ClosedAssignment<A extends OpenAssignment> = {
  readonly assignment: A;
  readonly successful: boolean;
  readonly canceled: boolean;
};

export type Outcome<A extends OpenAssignment> = {
  readonly closed: readonly ClosedAssignment<A>[];
  /** Whether the metadata must be made anew at the next fetch. */
  readonly outdated: boolean;
  /** In the order in which they happened: a later one for the same correlation id replaces an earlier one. */
  readonly completions: readonly Completion[];
  /** The device reported a failure: it has forgotten the list it had fetched. */
  readonly forgotList: boolean;
};

/** What became earlier of the correlation id that a report names, when no current assignment has it. */
export type EarlierFate = "none" | "concluded" | "cancelled";

/**
 * What a verified manifest means for the device's assignments: contracts/director.md section 5, row by row.
 *
 * Two rules come before the table, since devices send a report again word for word until they hear an answer, and may report
 * on what a person has cancelled meanwhile: a report on something *concluded* counts as none, and a report on something *cancelled*
 * is passed on without touching the assignments made since.
 *
 * One addition: where a failed report drops assignments of correlation ids it says nothing of, those are told 101 as well, so that
 * nobody waits for them for ever.
 *
 * @param earlier asked only about a report whose correlation id no open assignment has
 */
export function decideOutcome<A extends OpenAssignment>(input: {
  readonly assignments: readonly A[];
  readonly ecus: readonly ReportedEcu[];
  readonly report: ReportOutcome;
  readonly earlier: EarlierFate;
}): Outcome<A> {
  const { assignments, ecus } = input;
  const installed = assignments.filter((assignment) => isInstalled(assignment, ecus));
  const report = judgeReport(input.report);
  if (report.kind === "unreadable") return unreadable(assignments, installed, report.raw);
  if (report.kind === "absent") return withoutReport(installed, ecus);
  const foreign = !assignments.some(({ correlationId }) => correlationId === report.report.correlationId);
  if (foreign && input.earlier === "concluded") return withoutReport(installed, ecus);
  if (foreign && input.earlier === "cancelled") {
    const usual = withoutReport(installed, ecus);
    return {
      ...usual,
      completions: [...usual.completions, reported(report.report, report.report.correlationId, ecus)],
      forgotList: !report.report.result.success,
    };
  }
  return report.report.result.success
    ? succeeded({ assignments, installed, ecus, report: report.report })
    : failed({ assignments, installed, ecus, report: report.report });
}

const ALL_UPDATED = "All targeted ECUs were successfully updated";
const SOME_FAILED = "One or more targeted ECUs failed to update";
const CANCELLED_BY_DIRECTOR: InstallationResult = {
  success: false,
  code: "101",
  description: "The assignment was cancelled by the director, because the report does not fit it",
};
const INVALID_REPORT: InstallationResult = {
  success: false,
  code: "102",
  description: "The device's installation report is not valid",
};
const MAX_RAW_REPORT = 65_536;

/** Names and hashes must be equal; the length is not compared. */
function isInstalled(assignment: OpenAssignment, ecus: readonly ReportedEcu[]): boolean {
  const ecu = ecus.find(({ serial }) => serial === assignment.ecuSerial);
  if (ecu === undefined) return false;
  return ecu.installedImage.filepath === assignment.filename && ecu.installedImage.sha256 === assignment.sha256;
}

/** A correlation id that is none of the grammar makes the whole report invalid. */
function judgeReport(report: ReportOutcome): ReportOutcome {
  if (report.kind !== "present" || isCorrelationId(report.report.correlationId)) return report;
  const { correlationId, result, items, rawReport } = report.report;
  const raw: Json = { correlation_id: correlationId, items, raw_report: rawReport, result };
  return { kind: "unreadable", raw };
}

function withoutReport<A extends OpenAssignment>(installed: readonly A[], ecus: readonly ReportedEcu[]): Outcome<A> {
  const results = ecus.flatMap((ecu) => (ecu.operationResult === null ? [] : [{ ecu, result: ecu.operationResult }]));
  const success = results.every(({ result }) => isSuccess(result));
  const ecuReports = Object.fromEntries(
    results.map(({ ecu, result }) => [
      ecu.serial,
      {
        result: { success: isSuccess(result), code: String(result.resultCode), description: result.resultText },
        target: [ecu.installedImage.filepath],
      },
    ]),
  );
  const result = success
    ? { success, code: "0", description: ALL_UPDATED }
    : { success, code: "19", description: SOME_FAILED };
  return {
    closed: installed.map((assignment) => ({ assignment, successful: true, canceled: false })),
    outdated: false,
    completions: correlationsOf(installed).map((correlationId) => ({
      correlationId,
      result,
      ecuReports,
      rawReport: null,
    })),
    forgotList: false,
  };
}

function unreadable<A extends OpenAssignment>(
  assignments: readonly A[],
  installed: readonly A[],
  raw: Json,
): Outcome<A> {
  return {
    closed: dropped(assignments, installed),
    outdated: false,
    completions: correlationsOf(assignments).map((correlationId) => ({
      correlationId,
      result: INVALID_REPORT,
      ecuReports: {},
      rawReport: JSON.stringify(raw).slice(0, MAX_RAW_REPORT),
    })),
    forgotList: false,
  };
}

type Reported<A extends OpenAssignment> = {
  readonly assignments: readonly A[];
  readonly installed: readonly A[];
  readonly ecus: readonly ReportedEcu[];
  readonly report: InstallationReport;
};

function failed<A extends OpenAssignment>({ assignments, installed, ecus, report }: Reported<A>): Outcome<A> {
  const own = new Set([...correlationsOf(installed), report.correlationId]);
  const silent =
    installed.length === 0
      ? correlationsOf(assignments)
      : correlationsOf(assignments).filter((correlationId) => !own.has(correlationId));
  return {
    closed: dropped(assignments, installed),
    outdated: true,
    completions: [
      ...silent.map(cancelledByDirector),
      ...[...own].map((correlationId) => reported(report, correlationId, ecus)),
    ],
    forgotList: true,
  };
}

function succeeded<A extends OpenAssignment>({ assignments, installed, ecus, report }: Reported<A>): Outcome<A> {
  if (installed.length > 0) {
    const own = new Set([...correlationsOf(installed), report.correlationId]);
    return {
      closed: installed.map((assignment) => ({ assignment, successful: true, canceled: false })),
      outdated: false,
      completions: [...own].map((correlationId) => reported(report, correlationId, ecus)),
      forgotList: false,
    };
  }
  const silent = correlationsOf(assignments);
  return {
    closed: assignments.map((assignment) => ({ assignment, successful: false, canceled: true })),
    outdated: true,
    completions: [
      ...silent.map(cancelledByDirector),
      ...(silent.includes(report.correlationId) ? [] : [reported(report, report.correlationId, ecus)]),
    ],
    forgotList: false,
  };
}

function dropped<A extends OpenAssignment>(assignments: readonly A[], installed: readonly A[]): ClosedAssignment<A>[] {
  return assignments.map((assignment) => ({ assignment, successful: false, canceled: installed.length === 0 }));
}

function cancelledByDirector(correlationId: string): Completion {
  return { correlationId, result: CANCELLED_BY_DIRECTOR, ecuReports: {}, rawReport: null };
}

/** Items are kept for ECUs that the manifest itself speaks for. */
function reported(report: InstallationReport, correlationId: string, ecus: readonly ReportedEcu[]): Completion {
  const images = new Map(ecus.map((ecu) => [ecu.serial, ecu.installedImage.filepath]));
  const ecuReports = Object.fromEntries(
    report.items.flatMap(({ ecu, result }) => {
      const filepath = images.get(ecu);
      return filepath === undefined ? [] : [[ecu, { result, target: [filepath] }]];
    }),
  );
  const rawReport = report.rawReport === "" ? null : report.rawReport.slice(0, MAX_RAW_REPORT);
  return { correlationId, result: report.result, ecuReports, rawReport };
}

function correlationsOf(assignments: readonly OpenAssignment[]): string[] {
  return [...new Set(assignments.map(({ correlationId }) => correlationId))];
}

function isSuccess(result: OperationResult): boolean {
  return result.resultCode === 0 || result.resultCode === 1;
}
