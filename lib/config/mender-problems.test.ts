import { describe, expect, it } from "vitest";
import { isAppError } from "#lib/errors/app-error.ts";
import { loadConfig, type Part } from "./load.ts";

const SERVER = { MENDER_URL: "https://mender.example", MENDER_DOOR_PORT: "8445" };
const USER = { MENDER_USER: "gateway@example.com", MENDER_PASSWORD: "secret" };
const SECRETS = {
  DATABASE_URL: "postgresql://x/y",
  MASTER_KEY: "a".repeat(64),
  SERVICES_TOKEN: "s".repeat(40),
  DECISION_SECRET: "d".repeat(40),
  NEXTAUTH_SECRET: "n".repeat(40),
};

function problemsOf(env: Record<string, string>, part: Part = "supervisor"): string[] {
  try {
    loadConfig(part, env);
    return [];
  } catch (error) {
    if (!isAppError(error, "config.invalid")) throw error;
    return error.message.split("\n");
  }
}

describe("the settings about a Mender server", () => {
  it.each<[string, Record<string, string>, RegExp]>([
    ["a setting without its server", { MENDER_HOST: "localhost" }, /^MENDER_HOST is set without MENDER_URL/],
    ["a server without a way in", { MENDER_URL: SERVER.MENDER_URL, ...USER }, /MENDER_DOOR_PORT/],
    ["a name that the certificate lacks", { ...SERVER, ...USER, MENDER_HOST: "mender.door" }, /GATEWAY_HOST/],
    ["a port that is taken by another door", { ...SERVER, ...USER, MENDER_DOOR_PORT: "8443" }, /are both 8443/],
    ["nobody to sign in as", SERVER, /^MENDER_URL needs MENDER_TOKEN/],
    ["a user without password", { ...SERVER, MENDER_USER: USER.MENDER_USER }, /^MENDER_USER and MENDER_PASSWORD/],
    ["two ways to sign in", { ...SERVER, ...USER, MENDER_TOKEN: "t" }, /exclude each other/],
  ])("refuse %s, once, with its mend", (_what, env, problem) => {
    expect(problemsOf(env)).toEqual([expect.stringMatching(problem)]);
  });

  it("are enough with a server, a way in and who signs in", () => {
    expect(problemsOf({ ...SERVER, ...USER })).toEqual([]);
    expect(problemsOf({ ...SERVER, MENDER_TOKEN: "t" })).toEqual([]);
    const named = {
      ...USER,
      MENDER_URL: SERVER.MENDER_URL,
      MENDER_HOST: "Mender.Door",
      GATEWAY_HOST: "localhost,mender.door",
    };
    expect(loadConfig("supervisor", named).config).toMatchObject({
      MENDER_HOST: "mender.door",
      menderApiUrl: SERVER.MENDER_URL,
    });
  });

  it("never show a secret among the problems", () => {
    expect(problemsOf({ ...SERVER, MENDER_TOKEN: "a secret with blanks" }).join()).not.toContain("a secret");
  });

  it("ask the services for nothing: they don't call it", () => {
    expect(problemsOf({ ...SERVER, ...SECRETS }, "services")).toEqual([]);
    expect(problemsOf({ ...SERVER, ...SECRETS }, "worker")).toEqual([expect.stringMatching(/^MENDER_URL needs/)]);
  });
});
