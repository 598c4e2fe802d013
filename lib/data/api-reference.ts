import { z } from "zod";
import { leastRoleWith } from "#lib/authz/permissions.ts";
import type { Endpoint } from "#lib/contracts/console/endpoint.ts";
import { ENDPOINTS } from "#lib/contracts/console/endpoints.ts";
import { requirePageSession } from "./session.ts";

export type ApiEntry = {
  method: string;
  path: string;
  summary: string;
  /** Who may call it, in words. */
  who: string;
  status: number;
  /** JSON schemas as text, for people to read. */
  query: string | null;
  body: string | null;
  reply: string;
};

/** The endpoint table as people read it, grouped by the noun of its path. */
export async function readApiReference(): Promise<{ noun: string; entries: ApiEntry[] }[]> {
  await requirePageSession();
  const groups = new Map<string, ApiEntry[]>();
  for (const endpoint of ENDPOINTS) {
    const noun = endpoint.path.split("/")[3] ?? "";
    groups.set(noun, [...(groups.get(noun) ?? []), toEntry(endpoint)]);
  }
  return [...groups].map(([noun, entries]) => ({ noun, entries })).sort((a, b) => a.noun.localeCompare(b.noun));
}

function toEntry(endpoint: Endpoint): ApiEntry {
  const { method, path, summary, permission } = endpoint;
  return {
    method,
    path,
    summary,
    who:
      permission === "public"
        ? "anybody, signed in or not"
        : `permission ${permission}, from the role ${leastRoleWith(permission)} on`,
    status: endpoint.status ?? 200,
    query: endpoint.query === undefined ? null : schemaText(endpoint.query, "input"),
    body:
      endpoint.stream !== undefined
        ? endpoint.stream.contentType
        : endpoint.body === undefined
          ? null
          : schemaText(endpoint.body, "input"),
    reply: schemaText(endpoint.reply, "output"),
  };
}

function schemaText(schema: z.ZodType, io: "input" | "output"): string {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return JSON.stringify(rest, null, 2);
}
