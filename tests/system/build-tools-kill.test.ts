import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { pushRepository } from "#tests/garage-push/push.ts";
import { eventually } from "#tests/harness/api.ts";
import {
  authorizationOf,
  createLargeRepository,
  issueDevice,
  makeCredentials,
  pullAndCheck,
} from "#tests/harness/build-tools.ts";
import { type System, startSystem } from "#tests/harness/system.ts";

const OBJECTS = 300;
let system: System;
let device: string;
/** What `gatehouse credentials build` gave the build machine. */
let credentials: string;
let headers: { authorization: string };

beforeAll(async () => {
  system = await startSystem({}, ["services", "gateway"]);
  device = issueDevice(system, "Truck 1");
  credentials = makeCredentials(system, "build");
  headers = await authorizationOf(credentials);
}, 120_000);
afterAll(() => system?.drop(), 60_000);

/** One attempt of garage-push. @returns the objects that were acknowledged, and what became of it */
async function push(repo: string, onStored: (count: number) => void = () => undefined) {
  const stored = new Set<string>();
  const treehub: unknown = JSON.parse(readFileSync(join(credentials, "treehub.json"), "utf8"));
  const attempt = pushRepository({
    repo,
    headers,
    baseUrl: (treehub as { ostree: { server: string } }).ostree.server,
    tls: { ca: readFileSync(join(credentials, "server_ca.pem"), "utf8") },
    onStored(object) {
      stored.add(object);
      onStored(stored.size);
    },
  });
  const isDone = await attempt.then(
    () => true,
    () => false,
  );
  return { stored, isDone };
}

describe("kill -9 in the middle of a push", () => {
  it.each(["services", "gateway", "postgres"] as const)(
    "of %s loses nothing that was acknowledged, and a repeat completes it",
    async (part) => {
      const { repository, commit, drop } = createLargeRepository(OBJECTS);
      onTestFinished(drop);
      const first = await push(repository.path, (count) => {
        if (count === OBJECTS / 3) system.kill9(part);
      });
      const acknowledged = new Set(first.stored);
      let isDone = first.isDone;
      await eventually(
        async () => {
          if (isDone) return true;
          const again = await push(repository.path);
          // An object that is stored a second time was lost.
          expect([...again.stored].filter((object) => acknowledged.has(object))).toEqual([]);
          for (const object of again.stored) acknowledged.add(object);
          isDone = again.isDone;
          return isDone;
        },
        { withinSeconds: 60, what: "a push to complete" },
      );
      expect(first.stored.size).toBeGreaterThanOrEqual(OBJECTS / 3);
      await pullAndCheck({ url: `${system.door.url}/treehub`, commit, device });
    },
    120_000,
  );
});
