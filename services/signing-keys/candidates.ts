import type { KeyCheck, KeyRepository } from "#lib/contracts/console/keys.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { assertThreshold, parseEnvelope } from "#lib/uptane/envelope.ts";
import { parseJsonBounded } from "#lib/uptane/json.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { type FullRoot, judgeNextRoot, parseFullRoot, type RootRoleName } from "#lib/uptane/next-root.ts";
import { rehearse } from "#lib/uptane/rehearsal.ts";
import { parseTargets } from "#lib/uptane/roles.ts";
import { toCheck } from "./names.ts";

export type Judged = { readonly checks: KeyCheck[]; readonly consequences: string[] };

const SHORT = 8;
/** Signed when somebody asks, so their keys can't be elsewhere. */
const NEEDED_HERE: Readonly<Record<KeyRepository["repository"], readonly RootRoleName[]>> = {
  image: ["snapshot", "timestamp"],
  director: ["targets", "snapshot", "timestamp"],
};

/** Whether a root that was signed elsewhere may follow the one in force, and what follows of it. Every reason against it is a failed check. */
export function judgeRoot(of: { repository: KeyRepository; current: Uint8Array; document: Buffer; now: Date }): Judged {
  const { repository, current, document, now } = of;
  return guarded("The file is a signed root", () => {
    const verdict = judgeNextRoot(current, parseJsonBounded(document, METADATA_LIMITS.root), now);
    if (!verdict.ok) {
      const checks = verdict.reasons.map(({ text }) => failed("It can follow the root in force", text));
      return { checks, consequences: [] };
    }
    const { root } = verdict;
    const documents = { root: current, nextRoot: verdict.document.bytes, targets: null };
    const walked = rehearse({ repository: "director", now, ...documents }).map(toCheck);
    const checks = [...walked, ...checksOfKeysHere(repository, root)];
    return { checks, consequences: consequencesOfRoot(repository, root) };
  });
}

/** The same of targets of the image repository. @param of.currentTargets those in force */
export function judgeTargets(of: {
  root: Uint8Array;
  currentTargets: Uint8Array;
  document: Buffer;
  checksum: string;
  now: Date;
}): Judged {
  return guarded("The file is signed targets", () => {
    const root = parseFullRoot(parseEnvelope(of.root, METADATA_LIMITS.root).signed);
    const current = parseEnvelope(of.currentTargets, METADATA_LIMITS.imageTargets);
    const before = parseTargets(current.signed);
    const envelope = parseEnvelope(of.document, METADATA_LIMITS.imageTargets);
    const targets = parseTargets(envelope.signed);
    const isSame = current.sha256 === of.checksum;
    const checks = [
      attempt("Signed by the targets keys of the root in force", () => {
        assertThreshold(envelope, root.keys, root.roles.get("targets") ?? { keyids: [], threshold: 1 });
        return "Enough of its signatures hold.";
      }),
      verdictOf("It replaces the targets that are in force", isSame, {
        yes: `They have version ${before.version}.`,
        no: "Other targets came into force meanwhile. Load this page again, and sign anew on top of them.",
      }),
      verdictOf("Its version is the next one", targets.version === before.version + 1, {
        yes: `Version ${targets.version} follows ${before.version}.`,
        no: `The version must be ${before.version + 1}, not ${targets.version}.`,
      }),
      verdictOf("It is still valid", targets.expires > of.now, {
        yes: `Until ${targets.expires.toISOString()}.`,
        no: `It ended on ${targets.expires.toISOString()}.`,
      }),
    ];
    const added = [...targets.targets.keys()].filter((name) => !before.targets.has(name)).length;
    const removed = [...before.targets.keys()].filter((name) => !targets.targets.has(name)).length;
    const images = (count: number) => `${count} ${count === 1 ? "image" : "images"}`;
    const consequences = [
      `It lists ${images(targets.targets.size)}: ${added} more, ${removed} fewer than now.`,
      ...(removed > 0 ? ["Images that it does not list are deleted, with their bytes."] : []),
      `Snapshot and timestamp end with it: sign again before ${targets.expires.toISOString().slice(0, 10)}.`,
    ];
    return { checks, consequences };
  });
}

function checksOfKeysHere(repository: KeyRepository, root: FullRoot): KeyCheck[] {
  const online = new Map(
    repository.roles.flatMap(({ keys }) => keys.map(({ keyId, state }) => [keyId, state] as const)),
  );
  return NEEDED_HERE[repository.repository].map((role) => {
    const lost = (root.roles.get(role)?.keyids ?? []).some((keyId) => (online.get(keyId) ?? "offline") === "offline");
    return verdictOf(`The ${role} key is here`, !lost, {
      yes: "It goes on being signed by itself.",
      no: `The back end signs the ${role} role by itself, so its private key must be here.`,
    });
  });
}

function consequencesOfRoot(repository: KeyRepository, root: FullRoot): string[] {
  const listed = new Set(root.keys.keys());
  const deleted = repository.roles.flatMap(({ role, keys }) =>
    keys
      .filter(({ keyId, state }) => state !== "offline" && !listed.has(keyId))
      .map(
        ({ keyId }) => `The private key ${keyId.slice(0, SHORT)} of the role ${role} is deleted here, if it is here.`,
      ),
  );
  const targetsKeys = repository.roles.find(({ role }) => role === "targets")?.keys ?? [];
  const known = new Set(targetsKeys.map(({ keyId }) => keyId));
  const hasNewTargetsKey = root.roles.get("targets")?.keyids.some((keyId) => !known.has(keyId)) ?? false;
  return [
    ...deleted,
    ...(hasNewTargetsKey
      ? ["Devices refuse the image repository's targets until targets signed by the new key are uploaded: do it next."]
      : []),
  ];
}

function guarded(name: string, judge: () => Judged): Judged {
  try {
    return judge();
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { checks: [failed(name, error.message)], consequences: [] };
  }
}

function attempt(name: string, run: () => string): KeyCheck {
  try {
    return { name, state: "passed", detail: run() };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return failed(name, error.message);
  }
}

function verdictOf(name: string, holds: boolean, detail: { yes: string; no: string }): KeyCheck {
  return holds ? { name, state: "passed", detail: detail.yes } : failed(name, detail.no);
}

function failed(name: string, detail: string): KeyCheck {
  return { name, state: "failed", detail };
}
