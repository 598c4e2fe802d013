import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { tarOf } from "./tar.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

test("the system's tar unpacks every file with its exact text and mode", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tar-"));
  folders.push(folder);
  const files = [
    { name: "device/pkey.pem", text: "-----BEGIN PRIVATE KEY-----\n", mode: 0o600 },
    { name: "device/exactly-a-block", text: "x".repeat(512), mode: 0o644 },
    { name: "device/empty", text: "", mode: 0o644 },
    { name: "device/umlaut", text: "ä€\n", mode: 0o644 },
  ];
  const archive = join(folder, "device.tar");
  writeFileSync(archive, new Uint8Array(await tarOf(files, new Date("2026-01-02T03:04:05Z")).arrayBuffer()));
  execFileSync("tar", ["-xpf", archive, "-C", folder]);
  for (const { name, text, mode } of files) {
    expect(readFileSync(join(folder, name), "utf8")).toBe(text);
    expect(statSync(join(folder, name)).mode & 0o777).toBe(mode);
  }
});
