import { describe, expect, it } from "vitest";
import { PROXY_TABLE } from "#lib/backends/proxy-table.ts";
import { ENDPOINTS } from "#lib/contracts/console/endpoints.ts";
import { at } from "#tests/harness/api.ts";
import { contentSecurityPolicy } from "./content-security-policy.ts";
import { openApiDocument } from "./openapi.ts";

describe("the API document", () => {
  const document = openApiDocument("http://console.test");
  const operation = (method: string, path: string) => Object(at(document, "paths"))[path]?.[method.toLowerCase()];

  it("has every endpoint with its permission, input, reply and refusals", () => {
    for (const endpoint of ENDPOINTS) {
      const found = operation(endpoint.method, endpoint.path);
      expect([endpoint.path, found?.summary]).toEqual([endpoint.path, endpoint.summary]);
      if (endpoint.permission !== "public") {
        expect(found.description).toContain(endpoint.permission);
        expect(Object.keys(found.responses)).toEqual(expect.arrayContaining(["401", "403"]));
      }
      for (const name of endpoint.path.match(/(?<=\{)\w+/g) ?? []) {
        expect(found.parameters).toContainEqual(expect.objectContaining({ name, in: "path", required: true }));
      }
      expect(found.requestBody !== undefined).toBe(endpoint.body !== undefined || endpoint.stream !== undefined);
    }
  });

  it("has every relayed address", () => {
    const relayed = Object.keys(Object(at(document, "paths"))).filter((path) => path.startsWith("/api/proxy/"));
    expect(relayed).toHaveLength(new Set(PROXY_TABLE.map(({ service, path }) => service + path)).size);
  });

  it("names each operation once, and is JSON", () => {
    const ids = ENDPOINTS.map(({ method, path }) => operation(method, path).operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  });
});

describe("the pages' policy", () => {
  it("runs scripts of this request's nonce only and frames us nowhere", () => {
    const policy = contentSecurityPolicy("abc");
    expect(policy).toContain("script-src 'nonce-abc' 'strict-dynamic';");
    expect(policy).toContain("style-src 'self' 'nonce-abc';");
    for (const rule of ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"]) {
      expect(policy).toContain(rule);
    }
    expect(policy).not.toContain("unsafe-eval");
    expect(policy.replace("style-src-attr 'unsafe-inline'", "")).not.toContain("unsafe-inline");
  });
});
