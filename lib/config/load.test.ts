import { mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isAppError } from "#lib/errors/app-error.ts";
import { loadConfig, readStoredSecrets, secretsFile } from "./load.ts";
import { ensureStoredSecrets } from "./secrets-file.ts";

const ALL = {
  DATABASE_URL: "postgresql://u:p@db/gatehouse",
  MASTER_KEY: "a".repeat(64),
  SERVICES_TOKEN: "s".repeat(32),
  NEXTAUTH_SECRET: "n".repeat(32),
  DECISION_SECRET: "d".repeat(32),
};

function problemsOf(env: Record<string, string>, part: Parameters<typeof loadConfig>[0] = "supervisor"): string[] {
  try {
    loadConfig(part, env);
  } catch (error) {
    if (isAppError(error, "config.invalid")) return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("loadConfig", () => {
  it("needs nothing to start everything on one machine", () => {
    const { config } = loadConfig("supervisor", {});
    expect(config).toMatchObject({
      PORT: 3000,
      publicUrl: "http://localhost:3000",
      pkiUrl: "http://localhost:3000/pki",
      gatewayUrl: "https://localhost:8443",
      GATEWAY_HOST: ["localhost", "127.0.0.1"],
      directorUrl: "http://127.0.0.1:9000",
    });
  });

  it("uses a bucket only with the keys to it, which only the services need", () => {
    const bucket = { ...ALL, S3_BUCKET: "gatehouse" };
    expect(problemsOf(bucket, "services")).toHaveLength(2);
    expect(problemsOf(bucket, "supervisor")).toHaveLength(2);
    expect(problemsOf(bucket, "console")).toEqual([]);
    expect(problemsOf({ ...bucket, S3_ACCESS_KEY_ID: "id", S3_SECRET_ACCESS_KEY: "key" }, "services")).toEqual([]);
  });

  it("tells what devices are told without a slash at the end, and brackets IPv6 hosts", () => {
    expect(loadConfig("supervisor", { GATEWAY_URL: "https://gw.example/" }).config.gatewayUrl).toBe(
      "https://gw.example",
    );
    expect(loadConfig("supervisor", { GATEWAY_HOST: "::1" }).config.gatewayUrl).toBe("https://[::1]:8443");
  });

  it("names every problem at once", () => {
    const problems = problemsOf({
      PORT: "99999",
      HOST: "a b",
      TRUSTED_PROXIES: "10.0.0.0/8,nonsense",
      MASTER_KEY: "short",
    });
    for (const name of ["PORT", "HOST", "TRUSTED_PROXIES", "MASTER_KEY"]) {
      expect(problems.some((line) => line.startsWith(name))).toBe(true);
    }
    expect(problems).toHaveLength(4);
  });

  it("does not repeat a secret's value in its problem", () => {
    expect(problemsOf({ ...ALL, MASTER_KEY: "hunter2-hunter2" }).join()).not.toContain("hunter2");
  });

  it("refuses two parts on one port", () => {
    expect(problemsOf({ PORT: "9000" }).join()).toContain("SERVICES_PORT and PORT");
  });

  it.each([
    ["DEVICE_DOOR_CERT", { DEVICE_DOOR_CERT: "/cert.pem" }],
    ["ADMIN_EMAIL", { ADMIN_EMAIL: "a@example.com" }],
  ])("refuses half of a pair: %s", (name, env) => {
    expect(problemsOf(env).join()).toContain(name);
  });

  it("refuses to be told over an open network who a device is", () => {
    const asked = { DECISION_PUBLIC_URL: "https://devices.example.com", DECISION_HOST: "0.0.0.0" };
    expect(problemsOf({ ...ALL, ...asked }, "gateway")).toEqual([expect.stringContaining("DECISION_HOST")]);
    const tls = { DECISION_TLS_CERT: "a", DECISION_TLS_KEY: "b" };
    expect(problemsOf({ ...ALL, ...asked, ...tls }, "gateway")).toEqual([
      expect.stringContaining("DECISION_TLS_CLIENT_CA"),
    ]);
    const whole = { ...ALL, ...asked, ...tls, DECISION_TLS_CLIENT_CA: "c" };
    expect(loadConfig("gateway", whole).config.DECISION_PUBLIC_URL).toBe("https://devices.example.com");
  });

  it("refuses a keyserver that nothing would sign with", () => {
    const KEYSERVER_URL = "http://keys.example";
    expect(problemsOf({ KEYSERVER_URL })).toEqual([expect.stringMatching(/^KEYSERVER_URL .*REPOSERVER_URL/)]);
    expect(problemsOf({ KEYSERVER_URL, REPOSERVER_URL: KEYSERVER_URL })).toEqual([]);
    expect(problemsOf({ KEYSERVER_URL, DIRECTOR_URL: KEYSERVER_URL })).toEqual([]);
  });

  it.each(["console", "gateway", "services", "worker"] as const)("%s alone refuses without its secrets", (part) => {
    expect(problemsOf({}, part).length).toBeGreaterThanOrEqual(3);
    expect(problemsOf(ALL, part)).toEqual([]);
  });

  it("treats an empty variable as one that is not set", () => {
    expect(loadConfig("supervisor", { PORT: "", GATEWAY_URL: "" }).config.PORT).toBe(3000);
  });
});

describe("ensureStoredSecrets", () => {
  it("makes secrets once, for the owner's eyes only, different for every install", () => {
    const folder = join(mkdtempSync(join(tmpdir(), "secrets-")), "data");
    const first = ensureStoredSecrets(folder);
    expect(statSync(secretsFile(folder)).mode & 0o777).toBe(0o600);
    expect(ensureStoredSecrets(folder)).toEqual(first);
    expect(readStoredSecrets(folder)).toEqual(first);
    expect(new Set(Object.values(first)).size).toBe(4);
    const second = ensureStoredSecrets(join(folder, "other"));
    expect(second.MASTER_KEY).not.toBe(first.MASTER_KEY);
  });

  it("adds what a newer version needs and keeps the rest", () => {
    const folder = mkdtempSync(join(tmpdir(), "secrets-"));
    const { MASTER_KEY } = ensureStoredSecrets(folder);
    writeFileSync(secretsFile(folder), JSON.stringify({ MASTER_KEY }));
    const all = ensureStoredSecrets(folder);
    expect(all.MASTER_KEY).toBe(MASTER_KEY);
    expect(all.SERVICES_TOKEN).toMatch(/^[0-9a-f]{64}$/);
  });

  it("never overwrites a damaged file", () => {
    const folder = mkdtempSync(join(tmpdir(), "secrets-"));
    writeFileSync(secretsFile(folder), "{ broken");
    expect(() => ensureStoredSecrets(folder)).toThrow(expect.objectContaining({ code: "config.invalid" }));
    expect(readFileSync(secretsFile(folder), "utf8")).toBe("{ broken");
  });
});
