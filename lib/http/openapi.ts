import { z } from "zod";
import { PROXY_TABLE } from "#lib/backends/proxy-table.ts";
import type { Endpoint } from "#lib/contracts/console/endpoint.ts";
import { ENDPOINTS } from "#lib/contracts/console/endpoints.ts";
import { PROBLEMS } from "#lib/http/problems.ts";
import { VERSION } from "#lib/version.ts";

type Part = Record<string, unknown>;

let made: { publicUrl: string; document: Part } | undefined;

/** The API as OpenAPI 3.1, from the same rows and schemas that serve it. */
export function openApiDocument(publicUrl: string): Part {
  if (made?.publicUrl !== publicUrl) made = { publicUrl, document: build(publicUrl) };
  return made.document;
}

function build(publicUrl: string): Part {
  const paths: Record<string, Part> = {};
  for (const endpoint of ENDPOINTS) {
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method.toLowerCase()]: operation(endpoint) };
  }
  for (const { path, operations } of proxied()) paths[path] = operations;
  return {
    openapi: "3.1.0",
    info: {
      title: "Gatehouse API",
      version: VERSION,
      description:
        "Errors are application/problem+json with a stable `code` and the `requestId` under which the log has the rest. Lists are {data, nextCursor, total, totalIsExact}. Times are ISO 8601 in UTC.",
      license: { name: "Apache-2.0" },
    },
    servers: [{ url: publicUrl }],
    security: [{ token: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "An API token, gh_…" },
        session: {
          type: "apiKey",
          in: "cookie",
          name: "gatehouse-session-<install id>",
          description: "The cookie of who is signed in; changes need an Origin of the console's own.",
        },
      },
      schemas: { Problem: problemSchema() },
      responses: {
        Problem: {
          description: "Refused or failed",
          content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
        },
      },
    },
  };
}

function operation(endpoint: Endpoint): Part {
  const open = endpoint.permission === "public";
  const statuses = [endpoint.status ?? 200, ...(endpoint.otherStatus === undefined ? [] : [endpoint.otherStatus])];
  const reply = { content: { [replyType(endpoint)]: { schema: schemaOf(endpoint.reply, "output") } } };
  return {
    operationId: `${endpoint.method.toLowerCase()}${endpoint.path.replace(/^\/api\/v1/, "").replace(/[/{}.-]+(.)?/g, (_all, next: string | undefined) => next?.toUpperCase() ?? "")}`,
    summary: endpoint.summary,
    tags: [endpoint.path.split("/")[3] ?? "api"],
    description: open ? "Needs no sign-in." : `Needs the permission \`${endpoint.permission}\`.`,
    ...(open ? { security: [] } : {}),
    parameters: [...parameters(endpoint.params, "path"), ...parameters(endpoint.query, "query")],
    ...requestBody(endpoint),
    responses: {
      ...Object.fromEntries(statuses.map((status) => [status, { description: "Done", ...reply }])),
      ...refusals(endpoint),
    },
  };
}

function replyType({ path }: Endpoint): string {
  return path === "/api/v1/events" ? "text/event-stream" : "application/json";
}

function requestBody({ body, stream }: Endpoint): Part {
  if (stream !== undefined) {
    const schema = {
      type: "object",
      required: ["name", "version", "hardwareIds", "file"],
      properties: {
        name: { type: "string" },
        version: { type: "string" },
        hardwareIds: { type: "string", description: "comma separated" },
        sha256: { type: "string", description: "compared with what arrived" },
        file: { type: "string", format: "binary" },
      },
    };
    return { requestBody: { required: true, content: { [stream.contentType]: { schema } } } };
  }
  return body === undefined
    ? {}
    : { requestBody: { content: { "application/json": { schema: schemaOf(body, "input") } } } };
}

/** What any endpoint of this kind may answer besides; the codes of each status are listed in the problem's schema. */
function refusals(endpoint: Endpoint): Part {
  const statuses = new Set([400, 500, 503]);
  if (endpoint.permission !== "public") for (const status of [401, 403]) statuses.add(status);
  else statuses.add(403);
  if (endpoint.params !== undefined) statuses.add(404);
  if (endpoint.method !== "GET") for (const status of [409, 413, 415, 502, 504]) statuses.add(status);
  return Object.fromEntries([...statuses].map((status) => [status, { $ref: "#/components/responses/Problem" }]));
}

function parameters(schema: z.ZodType | undefined, where: "path" | "query"): Part[] {
  if (schema === undefined) return [];
  const object = z.object({
    properties: z.record(z.string(), z.unknown()).default({}),
    required: z.array(z.string()).default([]),
  });
  const { properties, required } = object.parse(schemaOf(schema, "input"));
  return Object.entries(properties).map(([name, value]) => ({
    name,
    in: where,
    required: where === "path" || required.includes(name),
    schema: value,
  }));
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): Part {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any", target: "draft-2020-12" });
  return rest;
}

function problemSchema(): Part {
  return {
    type: "object",
    required: ["type", "code", "title", "status", "detail", "requestId"],
    properties: {
      type: { type: "string" },
      code: { type: "string", enum: Object.keys(PROBLEMS) },
      title: { type: "string" },
      status: { type: "integer" },
      detail: { type: "string", description: "what happened and what to do about it" },
      requestId: { type: "string" },
      errors: { description: "more, where there is more: for request.invalid a list of {path, message}" },
    },
    "x-statuses": Object.fromEntries(Object.entries(PROBLEMS).map(([code, { status }]) => [code, status])),
  };
}

/** The relayed contracts: address, method, permission; their bodies are the contracts' own. */
function proxied(): { path: string; operations: Part }[] {
  const byPath = new Map<string, Part>();
  for (const { service, method, path, permission } of PROXY_TABLE) {
    let count = 0;
    const named = `/api/proxy/${service}${path.replace(/\{\+?\}/g, () => `{p${++count}}`)}`;
    const operations = {
      summary: `${method} ${path} of the ${service}'s OTA Connect contract`,
      tags: [`proxy: ${service}`],
      description: `Relayed as it is. Needs the permission \`${permission}\`.`,
      parameters: Array.from({ length: count }, (_none, index) => ({
        name: `p${index + 1}`,
        in: "path",
        required: true,
        schema: { type: "string" },
      })),
      responses: {
        default: { description: "The service's own answer, or a problem of ours" },
      },
    };
    byPath.set(named, { ...byPath.get(named), [method.toLowerCase()]: operations });
  }
  return [...byPath].map(([path, operations]) => ({ path, operations }));
}
