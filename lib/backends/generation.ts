import { z } from "zod";
import type { BackendGeneration } from "#lib/contracts/console/back-ends.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { BackendCall, BackendClient, BackendReply } from "./http.ts";
import type { BackendLink } from "./links.ts";

/** What a back end turned out to be. */
export type Spoken = {
  /** null where there is only one, or nobody could tell. */
  readonly generation: BackendGeneration | null;
  /** Whether it is a Gatehouse: then it has our extensions of the contracts as well. */
  readonly isGatehouse: boolean;
  /** Whether devices can be told to sleep: a late [A] can, every [B]. null when there is no device to see it by. */
  readonly hibernates: boolean | null;
};

export type SpokenFinder = {
  /** Asks the back end, at most every ten minutes. @throws AppError `backend.*` when it can't be found out and never was */
  find(call: BackendCall): Promise<Spoken>;
  /** What is known without asking; null before the first answer. */
  known(): Spoken | null;
};

export const EMBEDDED: Spoken = { generation: "both", isGatehouse: true, hibernates: true };

const KNOWN_FOR_MS = 600_000;

/**
 * Finds out what an external back end speaks, by contracts/README.md section 1: where its device registry lives, whether its director knows
 * `/updates`, whether its list of comments is paged. A setting, where there is one, is believed instead.
 */
export function createSpokenFinder(
  link: BackendLink,
  client: BackendClient,
  options: { setting: "A" | "B" | undefined; now?: () => number },
): SpokenFinder {
  const now = options.now ?? (() => performance.now());
  if (!link.isExternal) return { find: async () => EMBEDDED, known: () => EMBEDDED };
  let found: { spoken: Spoken; until: number } | null = null;
  let asking: Promise<Spoken> | null = null;

  async function ask(call: BackendCall): Promise<Spoken> {
    const { signal: _, ...lasting } = call; // several callers wait for this answer: none of them ends it by leaving
    const spoken = await inspect(link, client, { call: lasting, setting: options.setting });
    found = { spoken, until: now() + KNOWN_FOR_MS };
    return spoken;
  }

  return {
    known: () => found?.spoken ?? null,
    async find(call) {
      if (found !== null && now() < found.until) return found.spoken;
      asking ??= ask(call).finally(() => {
        asking = null;
      });
      const before = found?.spoken;
      return before === undefined ? asking : asking.catch(() => before);
    },
  };
}

type Inspection = { call: BackendCall; setting: "A" | "B" | undefined };

async function inspect(link: BackendLink, client: BackendClient, it: Inspection): Promise<Spoken> {
  const version = await ask(client, it.call, "/health/version");
  if (version.status === 200 && BuildInfo.safeParse(jsonOf(version)).data?.name === "gatehouse") return EMBEDDED;
  const nothing = { generation: null, isGatehouse: false, hibernates: null };
  switch (link.id) {
    case "device-registry":
      return { ...nothing, ...(await inspectRegistry(client, it)) };
    case "director": {
      if (it.setting !== undefined) return { ...nothing, generation: it.setting };
      const { status } = await ask(client, it.call, "/api/v1/updates?limit=1");
      return { ...nothing, generation: status === 200 ? "B" : "A" };
    }
    case "reposerver": {
      if (it.setting !== undefined) return { ...nothing, generation: it.setting };
      const reply = await ask(client, it.call, "/api/v1/user_repo/comments?limit=1");
      if (reply.status !== 200) return nothing;
      return { ...nothing, generation: Array.isArray(jsonOf(reply)) ? "A" : "B" };
    }
    case "keyserver":
    case "treehub":
      return nothing;
  }
}

async function inspectRegistry(
  client: BackendClient,
  { call, setting }: Inspection,
): Promise<Pick<Spoken, "generation" | "hibernates">> {
  const candidates = (["A", "B"] as const).filter((generation) => setting === undefined || generation === setting);
  for (const generation of candidates) {
    const reply = await ask(client, call, toRegistryPath(generation, "/api/v1/devices?limit=1"));
    const page = reply.status === 200 ? DevicePage.safeParse(jsonOf(reply)) : null;
    if (page?.success !== true) continue;
    const [device] = page.data.values;
    const seen = device === undefined ? null : "hibernated" in device;
    return { generation, hibernates: generation === "B" ? true : seen };
  }
  throw new AppError("backend.invalid_reply", `The ${client.name} has its devices under none of the known addresses.`, {
    context: { service: client.name },
  });
}

/** 4xx are answers here; a refusal of our token is none. */
function ask(client: BackendClient, call: BackendCall, path: string): Promise<BackendReply> {
  return client.send(call, { method: "GET", path, accept: [400, 404, 405, 424] });
}

/** Where a registry of this generation has what [A] knows under `path`. */
export function toRegistryPath(generation: BackendGeneration | null, path: string): string {
  if (generation !== "B" || !path.startsWith("/api/v1/")) return path;
  const counted = path.replace(
    /^\/api\/v1\/devices\/count(?=\?(?:.*&)?expression=)/,
    "/api/v1/devices/dynamic-group-count",
  );
  return `/device-registry${counted}`;
}

const BuildInfo = z.object({ name: z.string() });
const DevicePage = z.object({ values: z.array(z.record(z.string(), z.unknown())), total: z.number() });

function jsonOf(reply: BackendReply): unknown {
  try {
    return JSON.parse(reply.body.toString("utf8"));
  } catch {
    return null; // no JSON: then it is not what was looked for
  }
}
