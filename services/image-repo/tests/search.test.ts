import { beforeEach, describe, expect, it } from "vitest";
import { authorization, sha256, upload } from "./harness.ts";
import { BYTES, clock, codeOf, ctx, server, standForEachTest } from "./stand.ts";

standForEachTest();

const call = (path: string, init: RequestInit & { namespace?: string } = {}) =>
  fetch(`${server.url}${path}`, {
    ...init,
    headers: { authorization, "x-ats-namespace": init.namespace ?? "default", "content-type": "application/json" },
  });
const json = (method: string, body: unknown) => ({ method, body: JSON.stringify(body) });

/** Two own images of one name, one of another, and one that a supplier lists. */
beforeEach(async () => {
  await upload(server, "app_1", BYTES, { name: "app", version: "1", hardwareIds: "rpi4" });
  clock.advance(60_000);
  await upload(server, "app_2", Buffer.from("two"), { name: "app", version: "2", hardwareIds: "rpi4,rpi5" });
  clock.advance(60_000);
  await upload(server, "100%_1", Buffer.from("three"), { name: "100% boot", version: "1", hardwareIds: "qemu" });
  clock.advance(60_000);
  await ctx.db.imageDelegation.create({ data: { namespaceId: "default", name: "supplier" } });
  await ctx.db.imageDelegatedTarget.create({
    data: {
      ...{ namespaceId: "default", role: "supplier", filename: "supplier/app", sha256: "a".repeat(64), length: 5n },
      ...{ name: "app", version: "9", hardwareIds: ["rpi3"], uri: "https://a.example/app", createdAt: clock.now },
      custom: { name: "app", version: "9", note: "theirs" },
    },
  });
  await call("/api/v1/sboms/app_1", json("PUT", { uri: "https://a.example/app_1.spdx" }));
});

describe("the search", () => {
  const search = async (filter: unknown, query = "?sortBy=filename&sortDirection=ASC") => {
    const init = filter === null ? { method: "POST", body: "{}" } : json("POST", filter);
    const { values, total } = await (await call(`/api/v2/user_repo/search${query}`, init)).json();
    return { names: values.map(({ filename }: { filename: string }) => filename), values, total };
  };

  it("answers own and delegated images, latest first", async () => {
    const { names, values, total } = await search(null, "");
    expect([names, total]).toEqual([["supplier/app", "100%_1", "app_2", "app_1"], 4]);
    expect(values[0]).toEqual({
      ...{ name: "app", version: "9", filename: "supplier/app", origin: "supplier", length: 5 },
      ...{ hashes: { sha256: "a".repeat(64) }, uri: "https://a.example/app", hardwareIds: ["rpi3"] },
      ...{ createdAt: `${clock.now.toISOString().slice(0, 19)}Z`, customData: { note: "theirs" } },
    });
    expect(values[3]).toMatchObject({ origin: "targets.json", uri: null, customData: null });
  });

  it("takes every filter, and every text as itself", async () => {
    const cases: [filter: object, filenames: string[]][] = [
      [{ origin: ["targets.json"] }, ["100%_1", "app_1", "app_2"]],
      [{ originNot: "targets.json" }, ["supplier/app"]],
      [{ name: "app", version: "1" }, ["app_1"]],
      [{ nameContains: "0%" }, ["100%_1"]],
      [{ nameContains: "_" }, []],
      [{ hardwareIds: ["rpi5", "rpi3"] }, ["app_2", "supplier/app"]],
      [{ hashes: [sha256(BYTES)] }, ["app_1"]],
      [{ filenames: ["app_1", "supplier/app"] }, ["app_1", "supplier/app"]],
      [{ hasSBOM: true }, ["app_1"]],
      [{ hasSBOM: false, name: "app" }, ["app_2", "supplier/app"]],
      [{ name: "'; DROP TABLE image_target; --\u0000" }, []],
    ];
    for (const [filter, filenames] of cases)
      expect([filter, (await search(filter)).names]).toEqual([filter, filenames]);
  });

  it("pages, refuses what it does not know, and keeps to its namespace", async () => {
    const { names, total } = await search(null, "?sortBy=Filename&sortDirection=asc&offset=1&limit=2");
    expect([names, total]).toEqual([["app_1", "app_2"], 4]);
    expect((await call("/api/v2/user_repo/search?sortBy=Colour", { method: "POST" })).status).toBe(400);
    const foreign = await call("/api/v2/user_repo/search", { method: "POST", namespace: "west" });
    expect(await codeOf(foreign)).toEqual([404, "no_repo_for_namespace"]);
  });

  it("groups images of one name", async () => {
    const { values, total } = await (
      await call("/api/v2/user_repo/grouped-search?sortBy=name&sortDirection=Desc")
    ).json();
    expect([total, values.map(({ name }: { name: string }) => name)]).toEqual([2, ["app", "100% boot"]]);
    expect(values[0]).toEqual({
      ...{ name: "app", versions: ["1", "2", "9"], hardwareIds: ["rpi3", "rpi4", "rpi5"] },
      ...{ origins: ["supplier", "targets.json"], lastVersionAt: `${clock.now.toISOString().slice(0, 19)}Z` },
    });
    const own = await (
      await call("/api/v2/user_repo/grouped-search?originNot=supplier&hardwareIds=rpi4,qemu&hasSBOM=false")
    ).json();
    expect(own.values.map(({ versions }: { versions: string[] }) => versions)).toEqual([["1"], ["2"]]);
  });

  it("finds one image, and all hardware ids", async () => {
    expect((await (await call("/api/v2/user_repo/packages/supplier/app")).json()).origin).toBe("supplier");
    const hidden = await call("/api/v2/user_repo/packages/supplier/app?originNot=supplier");
    expect(await codeOf(hidden)).toEqual([404, "target_not_found"]);
    const ids = await (await call("/api/v2/user_repo/hardwareids-packages")).json();
    expect(ids).toEqual({ values: ["qemu", "rpi3", "rpi4", "rpi5"], total: 4, offset: 0, limit: 4 });
  });
});

describe("a bill of materials", () => {
  const uri = "https://a.example/app_1.spdx";

  it("is noted, listed, followed and deleted", async () => {
    expect(await (await call("/api/v1/sboms/app_1")).json()).toEqual({ uri });
    expect((await (await call("/api/v1/sboms")).json()).values).toEqual([{ filename: "app_1", uri }]);
    const raw = await call("/api/v1/sboms/raw/app_1", { redirect: "manual" });
    expect([raw.status, raw.headers.get("location")]).toEqual([302, uri]);
    expect((await call("/api/v1/sboms/app_1", json("PUT", { uri: "javascript:alert(1)" }))).status).toBe(400);
    expect(await codeOf(await call("/api/v1/sboms/app_1", { namespace: "west" }))).toEqual([404, "sbom_not_found"]);
    const foreign = await call("/api/v1/sboms/app_1", { method: "DELETE", namespace: "west", body: "{}" });
    expect(foreign.status).toBe(404);
    expect((await call("/api/v1/sboms/app_1", { method: "DELETE", body: "{}" })).status).toBe(204);
    expect(await codeOf(await call("/api/v1/sboms/raw/app_1"))).toEqual([404, "sbom_not_found"]);
  });
});
