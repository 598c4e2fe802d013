import { randomUUID } from "node:crypto";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { type Backends, createBackends } from "#lib/backends/backends.ts";
import { asksForAllComments, readAllComments } from "#lib/backends/comments.ts";
import { loadConfig } from "#lib/config/load.ts";
import { type ContractServices, startContractServices } from "#tests/harness/generations.ts";

/* The clients of lib/backends against replies of both generations, built from the contracts: somebody else's services. */

const CALL = { namespaceId: "default", requestId: "request-1" };
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function start(generation: "A" | "B"): Promise<{ theirs: ContractServices; backends: Backends }> {
  const theirs = await startContractServices(generation);
  closers.push(theirs.close);
  return { theirs, backends: connect({ ...external(theirs.url) }) };
}
const external = (url: string) => ({
  DEVICE_REGISTRY_URL: url,
  DIRECTOR_URL: url,
  REPOSERVER_URL: url,
  KEYSERVER_URL: url,
  TREEHUB_URL: url,
});
function connect(env: Record<string, string>): Backends {
  const { config, secrets } = loadConfig("supervisor", { SERVICES_TOKEN: "t".repeat(40), ...env });
  const backends = createBackends(config, secrets);
  closers.push(backends.close);
  return backends;
}
const assignment = (devices: string[]) => ({
  correlationId: `urn:here-ota:mtu:${randomUUID()}`,
  devices,
  mtuId: randomUUID(),
});

describe.each(["A", "B"] as const)("services of generation [%s]", (generation) => {
  it("are recognised, with version and with what they can't do", async () => {
    const { backends } = await start(generation);
    const registry = await backends.inspect(CALL, "device-registry");
    expect(registry).toMatchObject({
      isReachable: true,
      generation,
      version: `contract-${generation}`,
      isExternal: true,
    });
    const director = await backends.inspect(CALL, "director");
    expect(director.generation).toBe(generation);
    const can = (name: string) => director.capabilities?.find((capability) => capability.name === name)?.isAvailable;
    expect([can("cancel_in_flight"), can("scheduled_updates"), can("device_state")]).toEqual([
      generation === "B",
      generation === "B",
      false,
    ]);
    const reposerver = await backends.inspect(CALL, "reposerver");
    expect(reposerver.generation).toBe(generation);
    for (const name of ["uploads_in_parts", "key_rotation", "key_states", "targets_key_export"]) {
      expect(reposerver.capabilities).toContainEqual({ name, isAvailable: false, reason: expect.any(String) });
    }
  });

  it("are told of devices where they keep them", async () => {
    const { theirs, backends } = await start(generation);
    const uuid = randomUUID();
    await backends.registry.createDevice(CALL, { uuid, deviceName: "one", deviceId: uuid, credentials: "PEM" });
    await backends.registry.renameDevice(CALL, { uuid, name: "two" });
    expect(theirs.devices.get(uuid)?.deviceName).toBe("two");
    await backends.registry.deleteDevice(CALL, uuid);
    expect(theirs.devices.size).toBe(0);
  });

  it("answer an assignment in their own form, which is understood", async () => {
    const { theirs, backends } = await start(generation);
    const uuid = theirs.addDevice("one");
    const answer = await backends.director.assign(CALL, assignment([uuid]));
    expect(answer).toEqual({ affected: [uuid], notAffected: {} });
  });

  it("have all comments on images read as one list, however they page them", async () => {
    const { theirs, backends } = await start(generation);
    for (let index = 0; index < 1_100; index += 1) theirs.comments.push({ filename: `app_${index}`, comment: "x" });
    const request = { service: "reposerver", method: "GET", headers: {}, body: null } as const;
    const all = { ...request, path: "/api/v1/user_repo/comments" };
    expect([asksForAllComments(all), asksForAllComments({ ...all, path: `${all.path}?offset=0` })]).toEqual([
      true,
      false,
    ]);
    const reply = await readAllComments(backends.relay, CALL, all);
    expect(JSON.parse(await text(reply.body))).toEqual(theirs.comments);
  });

  it("are asked by the proxy under their own addresses", async () => {
    const { theirs, backends } = await start(generation);
    theirs.addDevice("one");
    const path = "/api/v1/devices/count?expression=deviceid%20contains%20a";
    const reply = await backends.relay.send(CALL, {
      service: "device-registry",
      method: "GET",
      path,
      headers: {},
      body: null,
    });
    expect([reply.status, await text(reply.body)]).toEqual([200, "1"]);
  });

  it("are not asked for what they lack", async () => {
    const { theirs, backends } = await start(generation);
    const uuid = theirs.addDevice("one");
    const relay = (service: "device-registry" | "director" | "reposerver", path: string) =>
      backends.relay.send(CALL, { service, method: "GET", path, headers: {}, body: null });
    const unsupported = { code: "backend.unsupported" };
    await expect(relay("reposerver", "/api/v1/user_repo/gatehouse/targets")).rejects.toMatchObject(unsupported);
    if (generation === "A") await expect(relay("director", "/api/v1/updates")).rejects.toMatchObject(unsupported);
    else await expect(relay("device-registry", `/api/v2/devices/${uuid}/events`)).rejects.toMatchObject(unsupported);
    const manifest = backends.director.getManifest(CALL, { deviceUuid: uuid, sha256: "0".repeat(64) });
    await expect(manifest).rejects.toMatchObject(unsupported);
    const upload = { filename: "app_3", name: "app", version: "3", hardwareIds: ["rpi4"], length: 1 };
    await expect(backends.reposerver.uploads.open(CALL, { ...upload, sha256: "0".repeat(64) })).rejects.toMatchObject({
      code: "upload.unsupported",
    });
    expect(await backends.director.getState(CALL, uuid)).toBeNull();
    expect(theirs.seen.filter((request) => request.includes("/gatehouse/"))).toEqual([]);
  });

  it("take back what is in flight if they can, and never another's assignment by force", async () => {
    const { theirs, backends } = await start(generation);
    const [waiting, fetched, anothers] = [theirs.addDevice("1"), theirs.addDevice("2"), theirs.addDevice("3")];
    const { correlationId } = assignment([]);
    const held = { correlationId, inFlight: false, ecu: "e", filename: "app_2" };
    theirs.assignments.set(waiting, [held]);
    theirs.assignments.set(fetched, [{ ...held, inFlight: true }]);
    theirs.assignments.set(anothers, [{ ...held, inFlight: true, correlationId: "urn:here-ota:mtu:another" }]);
    const dropped = await backends.director.cancel(CALL, { devices: [waiting, fetched, anothers], correlationId });
    expect(dropped.sort()).toEqual((generation === "A" ? [waiting] : [waiting, fetched]).sort());
    expect(theirs.assignments.has(anothers)).toBe(true);
  });
});

describe("what a back end speaks", () => {
  it("is asked once for many callers, and not again for a while", async () => {
    const { theirs, backends } = await start("B");
    const uuid = theirs.addDevice("one");
    await Promise.all([1, 2, 3].map((index) => backends.registry.renameDevice(CALL, { uuid, name: `name ${index}` })));
    expect(theirs.seen.filter((request) => request.endsWith("/devices?limit=1"))).toHaveLength(2);
  });

  it("is believed when a setting says it, and then not looked for elsewhere", async () => {
    const theirs = await startContractServices("B");
    closers.push(theirs.close);
    const right = connect({ ...external(theirs.url), DEVICE_REGISTRY_GENERATION: "B" });
    expect(right.registryPath(CALL, "/api/v1/mydevice/x/packages")).toBe("/device-registry/api/v1/mydevice/x/packages");
    await right.registry.deleteDevice(CALL, randomUUID());
    expect(theirs.seen.filter((request) => request.startsWith("GET /api/v1/devices"))).toEqual([]);
    const wrong = connect({ ...external(theirs.url), DEVICE_REGISTRY_GENERATION: "A" });
    const refused = wrong.registry.deleteDevice(CALL, randomUUID());
    await expect(refused).rejects.toMatchObject({ code: "backend.invalid_reply" });
  });

  it("of director and image repository is believed too when a setting says it", async () => {
    const theirs = await startContractServices("A");
    closers.push(theirs.close);
    const told = { DIRECTOR_GENERATION: "B", REPOSERVER_GENERATION: "B" };
    const backends = connect({ ...external(theirs.url), ...told });
    const found = await Promise.all((["director", "reposerver"] as const).map((id) => backends.inspect(CALL, id)));
    expect(found.map(({ generation }) => generation)).toEqual(["B", "B"]);
  });

  it("costs other back ends nothing when one is dead: that one fails at once, by name", async () => {
    const { theirs } = await start("A");
    const backends = connect({ ...external(theirs.url), DIRECTOR_URL: "http://127.0.0.1:1" });
    const uuid = theirs.addDevice("one");
    for (let index = 0; index < 3; index += 1) {
      await expect(backends.director.listAssignments(CALL, uuid)).rejects.toMatchObject({
        code: "backend.unreachable",
      });
    }
    await expect(backends.director.listAssignments(CALL, uuid)).rejects.toMatchObject({
      code: "backend.unreachable",
      context: { service: "director", reason: "breaker_open" },
    });
    expect(await backends.inspect(CALL, "director")).toMatchObject({
      isReachable: false,
      breaker: "open",
      capabilities: null,
    });
    await expect(backends.registry.renameDevice(CALL, { uuid, name: "two" })).resolves.toBeUndefined();
  });
});
