import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openBlobs } from "#lib/blobs/open.ts";
import { sha256, upload, verifyAsDevice } from "./harness.ts";
import { BYTES, blobFolder, clock, codeOf, ctx, server, standForEachTest } from "./stand.ts";

const blobPath = (key: string) => join(blobFolder(), key.slice(0, 2), key);

standForEachTest();

describe("verification", () => {
  const verify = async () => (await server.call("/gatehouse/targets/app_1/verify", { method: "POST" })).json();
  const shown = async () => (await server.call("/gatehouse/targets/app_1")).json();

  it("runs right after an upload: all six checks, with the keys that signed", async () => {
    await upload(server, "app_1", BYTES);
    const { verification } = await shown();
    expect(verification.state).toBe("verified");
    expect(verification.checks.map(({ check, result }: Record<string, string>) => [check, result])).toEqual([
      ["root", "ok"],
      ["timestamp", "ok"],
      ["snapshot", "ok"],
      ["targets", "ok"],
      ["length", "ok"],
      ["digest", "ok"],
    ]);
    const { root } = await verifyAsDevice(server, clock.now);
    expect(verification.checks[3].keyIds).toEqual(root.signed.roles.targets.keyids);
  });

  it("finds a byte flipped on the disk and names both digests; the same bytes uploaded again mend it", async () => {
    await upload(server, "app_1", BYTES);
    const damaged = Buffer.from(BYTES);
    damaged[1_000] = (damaged[1_000] ?? 0) ^ 1;
    writeFileSync(blobPath(sha256(BYTES)), damaged);
    const { verification } = await verify();
    const digest = verification.checks.find(({ check }: { check: string }) => check === "digest");
    expect([verification.state, digest.result]).toEqual(["mismatch", "failed"]);
    expect(digest.text).toContain(sha256(BYTES));
    expect(digest.text).toContain(sha256(damaged));
    expect((await shown()).verification.state).toBe("mismatch");
    await upload(server, "app_1", BYTES);
    expect((await shown()).verification.state).toBe("verified");
  });

  it("finds a missing end and missing bytes", async () => {
    await upload(server, "app_1", BYTES);
    writeFileSync(blobPath(sha256(BYTES)), BYTES.subarray(1));
    const results = async () => (await verify()).verification.checks.map(({ result }: { result: string }) => result);
    expect(await results()).toEqual(["ok", "ok", "ok", "ok", "failed", "failed"]);
    await openBlobs(ctx.config).remove(sha256(BYTES));
    expect(await results()).toEqual(["ok", "ok", "ok", "ok", "failed", "failed"]);
  });

  it("finds metadata that was changed in the database", async () => {
    await upload(server, "app_1", BYTES);
    const role = await ctx.db.imageRole.findFirstOrThrow({ where: { role: "targets" } });
    const forged = Buffer.from(role.bytes).toString("latin1").replace('"rpi4"', '"rpi5"');
    await ctx.db.imageRole.updateMany({ where: { role: "targets" }, data: { bytes: Buffer.from(forged, "latin1") } });
    const { verification } = await verify();
    expect([verification.state, verification.checks[3].result]).toEqual(["mismatch", "failed"]);
  });

  it("finds a root that was changed, and then trusts no targets", async () => {
    await upload(server, "app_1", BYTES);
    const root = await ctx.db.tufRoot.findFirstOrThrow();
    const forged = Buffer.from(root.bytes).toString("latin1").replace('"version":1', '"version":2');
    await ctx.db.tufRoot.updateMany({ data: { bytes: Buffer.from(forged, "latin1") } });
    const { verification } = await verify();
    expect([verification.checks[0].result, verification.checks[3].result]).toEqual(["failed", "not_checked"]);
  });
});

describe("the list for the console", () => {
  const page = async (query: string) => (await server.call(`/gatehouse/targets?${query}`)).json();
  const names = ({ data }: { data: { filename: string }[] }) => data.map(({ filename }) => filename);

  it("walks all images once in every order, also where dates are equal", async () => {
    for (const [index, name] of ["b_1", "a_1", "d_1", "c_1", "e_1"].entries()) {
      if (index !== 2) clock.advance(1_000);
      await upload(server, name, Buffer.from(name), { name: name.slice(0, 1) });
    }
    for (const [sort, expected] of [
      ["filename", "a_1 b_1 c_1 d_1 e_1"],
      ["-filename", "e_1 d_1 c_1 b_1 a_1"],
      ["createdAt", "b_1 a_1 d_1 c_1 e_1"],
      ["-createdAt", "e_1 c_1 d_1 a_1 b_1"],
    ]) {
      const walked: string[] = [];
      let cursor = "";
      do {
        const { data, nextCursor, total } = await page(`sort=${sort}&limit=2${cursor}`);
        expect(total).toBe(5);
        walked.push(...names({ data }));
        cursor = nextCursor === null ? "" : `&cursor=${nextCursor}`;
      } while (cursor !== "");
      expect(walked.join(" ")).toBe(expected);
    }
  });

  it("filters by text, taken literally, and by hardware id", async () => {
    await upload(server, "app_1", Buffer.from("1"));
    await upload(server, "appX1", Buffer.from("2"), { hardwareIds: "imx8" });
    expect(names(await page("q=APP_"))).toEqual(["app_1"]);
    expect(names(await page("q=%25"))).toEqual([]);
    expect(names(await page("hardware=imx8"))).toEqual(["appX1"]);
    expect(names(await page("q=app&sort=filename"))).toEqual(["appX1", "app_1"]);
  });

  it("refuses a cursor or a limit that makes no sense, and knows nothing of other namespaces", async () => {
    await upload(server, "app_1", BYTES);
    for (const query of ["cursor=x", "limit=0", "limit=201", "sort=size"]) {
      expect((await server.call(`/gatehouse/targets?${query}`)).status).toBe(400);
    }
    await server.call("", { method: "POST", namespace: "west" });
    expect((await server.call("/gatehouse/targets/app_1", { namespace: "west" })).status).toBe(404);
  });
});

describe("comments and items", () => {
  const json = { "content-type": "application/json" };

  it("are plain arrays and pages, as in the contract", async () => {
    await upload(server, "app_1", BYTES);
    await upload(server, "lib_1", BYTES);
    const put = await server.call("/comments/app_1", {
      method: "PUT",
      body: '{"comment":"grüße \\u0000 ok"}',
      headers: json,
    });
    expect(put.status).toBe(200);
    const all = [{ filename: "app_1", comment: "grüße  ok" }];
    expect(await (await server.call("/comments")).json()).toEqual(all);
    expect(await (await server.call("/comments?nameContains=lib")).json()).toEqual([]);
    expect(await (await server.call("/comments/app_1")).json()).toEqual({ comment: "grüße  ok" });
    const listed = await server.call("/list-target-comments", {
      method: "POST",
      body: '["app_1","lib_1"]',
      headers: json,
    });
    expect(await listed.json()).toEqual(all);
    const unknown = await server.call("/comments/none", { method: "PUT", body: '{"comment":"x"}', headers: json });
    expect(await codeOf(unknown)).toEqual([404, "target_not_found"]);
    const items = await (await server.call("/target_items?nameContains=lib&limit=5")).json();
    expect([items.total, items.offset, items.limit, items.values[0].custom.name]).toEqual([1, 0, 5, "app"]);
    expect((await server.call("/target_items?offset=-1")).status).toBe(400);
    expect(await codeOf(await server.call("/target_items/none"))).toEqual([404, "target_not_found"]);
  });
});
