import { readFileSync } from "node:fs";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createServices } from "#services/main.ts";
import { ALL_ENDPOINTS, missingClauses, SERVICE_ENDPOINTS } from "#tests/contracts/report.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";

const TOKEN = "t".repeat(40);

describe("the report of endpoints", () => {
  let database: TestDatabase;
  let app: FastifyInstance;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = createServices(createTestCtx(database.url), TOKEN);
    await app.ready();
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  it("has a line for every endpoint that a contract names", () => {
    expect(missingClauses().map(({ file, line, method, path }) => `${file}:${line} ${method} ${path}`)).toEqual([]);
  });

  it("names tests that are there", () => {
    const files = new Map<string, string>();
    const lost = ALL_ENDPOINTS.flatMap((endpoint) => {
      if ("absent" in endpoint) return [];
      const { file, title } = endpoint.test;
      const text = files.get(file) ?? readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
      files.set(file, text);
      return text.includes(title) ? [] : [`${endpoint.method} ${endpoint.path}: ${file}: ${title}`];
    });
    expect(lost).toEqual([]);
  });

  it("calls tested only what the services route", async () => {
    const unrouted: string[] = [];
    for (const endpoint of SERVICE_ENDPOINTS) {
      if ("absent" in endpoint) continue;
      const url = endpoint.path.replaceAll(/:\w+|\*/g, "1");
      const reply = await app.inject({ method: "OPTIONS", url, headers: { authorization: `Bearer ${TOKEN}` } });
      const allowed = String(reply.headers.allow ?? "").split(", ");
      if (!allowed.includes(endpoint.method)) unrouted.push(`${endpoint.method} ${endpoint.path}`);
    }
    expect(unrouted).toEqual([]);
  });
});
