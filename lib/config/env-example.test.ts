import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { SECRETS, SETTINGS } from "./settings.ts";

const example = readFileSync(new URL("../../.env.example", import.meta.url), "utf8");
const shown = new Map(
  [...example.matchAll(/^# ([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, name, value]) => [name ?? "", value ?? ""] as const),
);

describe(".env.example", () => {
  it("names every setting and secret, and nothing else", () => {
    const known = [...Object.keys(SETTINGS.shape), ...Object.keys(SECRETS.shape)];
    expect([...shown.keys()].sort()).toEqual(known.sort());
  });

  it("shows the defaults that hold", () => {
    const given = Object.fromEntries([...shown].filter(([, value]) => value !== ""));
    expect(SETTINGS.parse(given)).toEqual(SETTINGS.parse({}));
    const empty = Object.entries(SETTINGS.parse({})).filter(([name, value]) => {
      return shown.get(name) === "" && value !== undefined && !(Array.isArray(value) && value.length === 0);
    });
    expect(empty).toEqual([]);
    expect(SETTINGS.parse(given).DATA_DIR).toBe(resolve("data"));
  });

  it("holds no secret", () => {
    expect(Object.keys(SECRETS.shape).filter((name) => shown.get(name) !== "")).toEqual([]);
  });
});
