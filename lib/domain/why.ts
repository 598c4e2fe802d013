import { ago, ahead } from "./ago.ts";

export type WhyFacts = {
  status: "never_seen" | "up_to_date" | "assigned" | "downloading" | "installing" | "rebooting" | "failed" | "unknown";
  statusAt: Date;
  createdAt: Date;
  /** null when no certificate of this device is known here. */
  certificate: {
    state: "pending" | "allowed" | "held" | "superseded" | "revoked" | "expired" | "rejected";
    notAfter: Date | null;
  } | null;
  lastSeenAt: Date | null;
  lastManifestAt: Date | null;
  ecuCount: number;
  /** Code of the director's last refusal of its ECU registration. */
  registrationRefusal: string | null;
  assignment: { filenames: readonly string[]; assignedAt: Date | null; fetchedAt: Date | null } | null;
  /** Its assignment was cancelled after it had fetched it. */
  mayStillInstall: boolean;
  lastFailure: { code: string | null; text: string | null; at: Date } | null;
};

export type WhyReason = {
  check: "certificate" | "contact" | "registration" | "assignment" | "metadata" | "download" | "install";
  result: "ok" | "waiting" | "bad" | "unknown";
  text: string;
  at: string | null;
};

/**
 * Why a device is in its state: the first check of the path that stops it gives the sentence, with the cause and the next
 * expected event; the checks follow in the order of the path.
 */
export function explain(facts: WhyFacts, now: Date): { summary: string; reasons: WhyReason[] } {
  return {
    summary: summarise(facts, now),
    reasons: [
      certificateCheck(facts, now),
      contactCheck(facts, now),
      registrationCheck(facts),
      assignmentCheck(facts, now),
      metadataCheck(facts, now),
      downloadCheck(facts),
      installCheck(facts, now),
    ],
  };
}

function summarise(facts: WhyFacts, now: Date): string {
  const certificate = CERTIFICATE_SENTENCES[facts.certificate?.state ?? "allowed"];
  if (certificate !== null) return certificate;
  if (facts.registrationRefusal !== null)
    return `Its ECU registration is refused: ${refusalText(facts.registrationRefusal)}`;
  if (facts.mayStillInstall) return MAY_STILL_INSTALL;
  switch (facts.status) {
    case "never_seen":
      return `Waiting for its first contact: created ${ago(facts.createdAt, now)}, never seen.`;
    case "up_to_date":
      return `Up to date: nothing is assigned, ${heard(facts, now)}.`;
    case "assigned":
      return facts.assignment?.fetchedAt == null
        ? `Waiting for it to ask: assigned ${ago(facts.assignment?.assignedAt ?? facts.statusAt, now)}, ${seen(facts, now)}.`
        : `It fetched the update ${ago(facts.assignment.fetchedAt, now)}: the download is next.`;
    case "downloading":
      return `Downloading${named(facts)}, begun ${ago(facts.statusAt, now)}: installing is next.`;
    case "installing":
      return `Installing${named(facts)}, begun ${ago(facts.statusAt, now)}: its signed report is next.`;
    case "rebooting":
      return `Installed ${ago(facts.statusAt, now)} and waiting for its reboot: it reports when it is up again.`;
    case "failed":
      return `Failed ${ago(facts.lastFailure?.at ?? facts.statusAt, now)}: ${failureText(facts)} It tries again when a new update is launched.`;
    case "unknown":
      return `Unknown: ${heard(facts, now)}. Its next signed manifest decides.`;
  }
}

const MAY_STILL_INSTALL =
  "It may still install a cancelled update: it had fetched it before the cancel. Its next signed manifest decides.";

const CERTIFICATE_SENTENCES = {
  allowed: null,
  pending: "Waiting for approval: its certificate has not been decided on.",
  held: "The door refuses it: its certificate is on hold.",
  superseded: "The door refuses it: another certificate took the place of this one.",
  revoked: "The door refuses it: its certificate was revoked.",
  expired: "The door refuses it: its certificate has expired. Issue a new one.",
  rejected: "The door refuses it: its certificate was rejected.",
} as const;

function certificateCheck({ certificate }: WhyFacts, now: Date): WhyReason {
  if (certificate === null) return reason("certificate", "unknown", "No certificate of this device is known here.");
  const { state, notAfter } = certificate;
  const sentence = CERTIFICATE_SENTENCES[state];
  if (sentence !== null) return reason("certificate", state === "pending" ? "waiting" : "bad", sentence, notAfter);
  const ends = notAfter === null ? "" : `; it expires ${ahead(notAfter, now)}`;
  return reason("certificate", "ok", `Its certificate is allowed${ends}.`, notAfter);
}

function contactCheck(facts: WhyFacts, now: Date): WhyReason {
  const { lastSeenAt } = facts;
  if (lastSeenAt === null) return reason("contact", "waiting", `Never seen; created ${ago(facts.createdAt, now)}.`);
  return reason("contact", "ok", `Last seen ${ago(lastSeenAt, now)}.`, lastSeenAt);
}

function registrationCheck(facts: WhyFacts): WhyReason {
  if (facts.registrationRefusal !== null) return reason("registration", "bad", refusalText(facts.registrationRefusal));
  if (facts.ecuCount === 0) return reason("registration", "waiting", "It registers its ECUs at its first visit.");
  return reason("registration", "ok", `${facts.ecuCount} ${facts.ecuCount === 1 ? "ECU is" : "ECUs are"} registered.`);
}

function assignmentCheck(facts: WhyFacts, now: Date): WhyReason {
  if (facts.mayStillInstall)
    return reason("assignment", "unknown", "Its update was cancelled too late.", facts.statusAt);
  if (facts.assignment === null) return reason("assignment", "ok", "Nothing is assigned.");
  const at = facts.assignment.assignedAt;
  return reason("assignment", "ok", `Assigned${named(facts)}${at === null ? "" : ` ${ago(at, now)}`}.`, at);
}

function metadataCheck(facts: WhyFacts, now: Date): WhyReason {
  if (facts.assignment === null) return reason("metadata", "ok", "There is nothing to fetch.");
  const { fetchedAt } = facts.assignment;
  if (fetchedAt === null)
    return reason("metadata", "waiting", "It has not fetched the metadata that lists its update.");
  return reason("metadata", "ok", `It fetched the metadata ${ago(fetchedAt, now)}.`, fetchedAt);
}

function downloadCheck(facts: WhyFacts): WhyReason {
  if (facts.mayStillInstall) return reason("download", "unknown", "It may be downloading.");
  switch (facts.status) {
    case "assigned":
      return reason("download", "waiting", "The download has not begun.");
    case "downloading":
      return reason("download", "waiting", `It downloads${named(facts)}.`, facts.statusAt);
    case "installing":
    case "rebooting":
      return reason("download", "ok", "It has what it installs.");
    case "failed":
      return isDownloadFailure(facts)
        ? reason("download", "bad", failureText(facts), facts.lastFailure?.at)
        : NO_DOWNLOAD;
    default:
      return NO_DOWNLOAD;
  }
}

const NO_DOWNLOAD = reason("download", "ok", "There is nothing to download.");

function installCheck(facts: WhyFacts, now: Date): WhyReason {
  if (facts.mayStillInstall) return reason("install", "unknown", MAY_STILL_INSTALL, facts.statusAt);
  switch (facts.status) {
    case "assigned":
    case "downloading":
      return reason("install", "waiting", "The installation has not begun.");
    case "installing":
      return reason("install", "waiting", "It installs; its signed report is next.", facts.statusAt);
    case "rebooting":
      return reason("install", "waiting", "Installed; its report comes after the reboot.", facts.statusAt);
    case "failed":
      return isDownloadFailure(facts)
        ? reason("install", "ok", "Nothing was installed.")
        : reason("install", "bad", failureText(facts), facts.lastFailure?.at ?? facts.statusAt);
    case "up_to_date":
      return reason("install", "ok", `There is nothing to install; ${heard(facts, now)}.`, facts.lastManifestAt);
    case "never_seen":
    case "unknown":
      return reason("install", "unknown", "What it runs is not known before its signed manifest.");
  }
}

/** Composite codes of aktualizr name the hardware first: `hw:DOWNLOAD_FAILED|hw2:…`. */
function isDownloadFailure(facts: WhyFacts): boolean {
  return facts.lastFailure?.code?.includes("DOWNLOAD_FAILED") ?? false;
}

function failureText(facts: WhyFacts): string {
  const parts = [facts.lastFailure?.code, facts.lastFailure?.text].filter((part) => part != null && part !== "");
  const text = parts.length === 0 ? "it gave no cause" : parts.join(": ");
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

const REFUSALS = new Map([
  [
    "replace_ecu_assignment_exists",
    "it left out an ECU that has an assignment. Cancel the update, or let the device list that ECU again.",
  ],
  [
    "ecu_reuse_not_allowed",
    "it listed an ECU that was removed from it before, which can't return under the same serial.",
  ],
]);

function refusalText(code: string): string {
  return REFUSALS.get(code) ?? `the director answered ${code}.`;
}

function named(facts: WhyFacts): string {
  const filenames = facts.assignment?.filenames ?? [];
  return filenames.length === 0 ? "" : ` ${filenames.join(", ")}`;
}

function seen(facts: WhyFacts, now: Date): string {
  return facts.lastSeenAt === null ? "never seen" : `last seen ${ago(facts.lastSeenAt, now)}`;
}

function heard(facts: WhyFacts, now: Date): string {
  return facts.lastManifestAt === null ? seen(facts, now) : `last report ${ago(facts.lastManifestAt, now)}`;
}

function reason(check: WhyReason["check"], result: WhyReason["result"], text: string, at?: Date | null): WhyReason {
  // A code or a hardware id at its beginning stays as the device wrote it.
  const sentence = /^[a-z]+ /.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return { check, result, text: sentence, at: at?.toISOString() ?? null };
}
