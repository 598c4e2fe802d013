import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ListQuery } from "#lib/contracts/console/common.ts";
import type { Method } from "#lib/contracts/console/endpoint.ts";
import type { ErrorCode } from "#lib/errors/codes.ts";
import { codeOf } from "#tests/harness/app-errors.ts";
import { parseParams, parseQuery, readJsonBody } from "./request-input.ts";

const row = { method: "POST" as Method, reply: z.unknown(), permission: "device.read" as const, summary: "" };

describe("path parameters", () => {
  const endpoint = {
    ...row,
    path: "/api/v1/images/{filename}/x",
    params: z.strictObject({ filename: z.string().max(10) }),
  };

  it("are decoded once", () => {
    expect(parseParams(endpoint, "/api/v1/images/a%2Fb%2520/x")).toEqual({ filename: "a/b%20" });
  });

  it.each(["/api/v1/images/%zz/x", `/api/v1/images/${"a".repeat(11)}/x`])("refuses %s", (pathname) => {
    expect(codeOf(() => parseParams(endpoint, pathname))).toBe("request.invalid");
  });
});

describe("a query", () => {
  const parse = (search: string) => parseQuery({ query: ListQuery }, new URLSearchParams(search));

  it("is parsed by the contract", () => {
    expect(parse("limit=5&q=a")).toEqual({ limit: 5, q: "a" });
  });

  it.each(["limit=0", "limit=201", "limit=x", "unknown=1", "limit=1&limit=2", "__proto__=1", `q=${"a".repeat(201)}`])(
    "refuses %s",
    (search) => {
      expect(codeOf(() => parse(search))).toBe("request.invalid");
    },
  );

  it("is refused where the contract has none", () => {
    expect(codeOf(() => parseQuery({}, new URLSearchParams("a=1")))).toBe("request.invalid");
  });
});

describe("a JSON body", () => {
  const endpoint = { ...row, path: "/", body: z.strictObject({ name: z.string().optional() }) };
  const read = (body: BodyInit | null, type: string | null = "application/json") =>
    readJsonBody(
      endpoint,
      new Request("http://x/", { method: "POST", body, headers: type === null ? {} : { "content-type": type } }),
    );
  const refuses = (promise: Promise<unknown>, code: ErrorCode) => expect(promise).rejects.toMatchObject({ code });

  it("is read by the contract, with a charset or without", async () => {
    expect(await read('{"name":"a"}')).toEqual({ name: "a" });
    expect(await read('{"name":"a"}', "application/JSON; charset=utf-8")).toEqual({ name: "a" });
  });

  it("may be absent where nothing is required", async () => {
    expect(await read(null, null)).toEqual({});
    expect(await read("")).toEqual({});
  });

  it.each<[string, BodyInit, string | null, ErrorCode]>([
    ["an unknown field", '{"nmae":"a"}', "application/json", "request.invalid"],
    ["a wrong type", '{"name":1}', "application/json", "request.invalid"],
    ["no object", "[]", "application/json", "request.invalid"],
    ["broken JSON", "{", "application/json", "request.invalid"],
    ["a member twice", '{"name":"a","name":"b"}', "application/json", "request.invalid"],
    ["bytes that are no text", new Uint8Array([0x22, 0xff, 0x22]), "application/json", "request.invalid"],
    ["a form", "name=a", "application/x-www-form-urlencoded", "request.unsupported_media_type"],
    ["something that only starts like JSON's type", "{}", "application/jsonp", "request.unsupported_media_type"],
    ["more than the bound", `{"name":"${"a".repeat(70_000)}"}`, "application/json", "request.too_large"],
    ["depth without end", "[".repeat(1_000), "application/json", "request.too_large"],
  ])("with %s is refused", async (_what, body, type, code) => {
    await refuses(read(body, type), code);
  });

  it("names each field that is wrong", async () => {
    const strict = { ...endpoint, body: z.strictObject({ a: z.string(), b: z.object({ c: z.number() }) }) };
    const req = new Request("http://x/", {
      method: "POST",
      body: '{"b":{}}',
      headers: { "content-type": "application/json" },
    });
    await expect(readJsonBody(strict, req)).rejects.toMatchObject({ detail: [{ path: "a" }, { path: "b.c" }] });
  });
});
