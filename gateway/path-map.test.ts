import { describe, expect, it } from "vitest";
import { isDownload, mapPath } from "#gateway/path-map.ts";

const UUID = "0f8fad5b-d9cb-469f-a165-70867728950e";
const map = (method: string, url: string) => mapPath(method, url, UUID);
const pathOf = (method: string, url: string) => {
  const mapped = map(method, url);
  return mapped.to === "upstream" ? `${mapped.destination.upstream} ${mapped.destination.path}` : mapped;
};

describe("what aktualizr sends goes where the contract says", () => {
  it.each([
    ["POST", "/director/ecus", `director /api/v1/device/${UUID}/ecus`],
    ["PUT", "/director/manifest", `director /api/v1/device/${UUID}/manifest`],
    ["GET", "/director/1.root.json", `director /api/v1/device/${UUID}/1.root.json`],
    ["GET", "/director/root.json", `director /api/v1/device/${UUID}/root.json`],
    ["GET", "/director/targets.json", `director /api/v1/device/${UUID}/targets.json`],
    ["GET", "/director/offline-updates/box_1.json", `director /api/v1/device/${UUID}/offline-updates/box_1.json`],
    ["GET", "/director/offline-snapshot.json", `director /api/v1/device/${UUID}/offline-snapshot.json`],
    ["GET", "/director/remote-sessions.json", `director /api/v1/device/${UUID}/remote-sessions.json`],
    ["GET", "/repo/12.root.json", "reposerver /api/v1/user_repo/12.root.json"],
    ["GET", "/repo/timestamp.json", "reposerver /api/v1/user_repo/timestamp.json"],
    ["GET", "/repo/snapshot.json", "reposerver /api/v1/user_repo/snapshot.json"],
    ["GET", "/repo/targets.json", "reposerver /api/v1/user_repo/targets.json"],
    ["GET", "/repo/delegations/role.json", "reposerver /api/v1/user_repo/delegations/role.json"],
    ["GET", "/repo/targets/fw_1.0", "reposerver /api/v1/user_repo/targets/fw_1.0"],
    ["HEAD", "/repo/targets/fw_1.0", "reposerver /api/v1/user_repo/targets/fw_1.0"],
    ["GET", "/treehub/config", "treehub /api/v2/config"],
    ["GET", `/treehub/objects/ab/${"c".repeat(62)}.filez`, `treehub /api/v2/objects/ab/${"c".repeat(62)}.filez`],
    ["GET", "/treehub/deltas/A+/b_c-D+e/superblock", "treehub /api/v2/deltas/A%2B/b_c-D%2Be/superblock"],
    ["GET", "/treehub/delta-indexes/A+/b_c.index", "treehub /api/v2/delta-indexes/A%2B/b_c.index"],
    ["GET", "/treehub/refs/heads/main/arm", "treehub /api/v2/refs/heads/main/arm"],
    ["PUT", "/core/installed", `registry /api/v1/mydevice/${UUID}/packages`],
    ["PUT", "/core/system_info", `registry /api/v1/mydevice/${UUID}/system_info`],
    ["PUT", "/system_info", `registry /api/v1/devices/${UUID}/system_info`],
    ["PUT", "/system_info/network", `registry /api/v1/devices/${UUID}/system_info/network`],
    ["POST", "/system_info/config", `registry /api/v1/devices/${UUID}/system_info/config`],
    ["POST", "/events", `registry /api/v1/devices/${UUID}/events`],
  ])("%s %s", (method, url, expected) => {
    expect(pathOf(method, url)).toBe(expected);
  });

  it.each([
    ["POST", "/events"],
    ["PUT", "/system_info"],
    ["PUT", "/system_info/network"],
    ["POST", "/system_info/config"],
    ["PUT", "/core/installed"],
    ["PUT", "/core/system_info"],
    ["POST", "/director/ecus"],
    ["PUT", "/director/manifest"],
  ])("%s %s with a trailing slash, which the upstream path never has", (method, url) => {
    expect(pathOf(method, `${url}/`)).toBe(pathOf(method, url));
  });

  it("keeps a target's name byte for byte, folders included, and encodes it anew", () => {
    expect(pathOf("GET", "/repo/targets/dir%20a/fw%2B1_%C3%BC.bin")).toBe(
      "reposerver /api/v1/user_repo/targets/dir%20a/fw%2B1_%C3%BC.bin",
    );
    expect(pathOf("GET", "/repo/targets/a+b&c=d;e@f")).toBe(
      "reposerver /api/v1/user_repo/targets/a%2Bb%26c%3Dd%3Be%40f",
    );
    expect(map("GET", "/repo/targets/fw")).toMatchObject({ destination: { isDownload: true, maxBodyBytes: 0 } });
    expect(isDownload("/repo/targets/fw")).toBe(true);
    expect(isDownload("/repo/targets.json")).toBe(false);
  });

  it("drops the query", () => {
    expect(pathOf("GET", "/repo/targets.json?x=../../y")).toBe("reposerver /api/v1/user_repo/targets.json");
  });

  it("answers the campaigner's list by itself", () => {
    expect(map("GET", "/campaigner/campaigns")).toEqual({ to: "campaigns" });
  });
});

describe("nothing else exists", () => {
  it.each([
    "/",
    "/favicon.ico",
    "/director",
    "/director/",
    "/director/admin/devices",
    "/director/01.root.json",
    "/director/0.root.json",
    "/director/-1.root.json",
    "/director/x.json",
    "/director/targets.json/",
    "/director/offline-updates/",
    "/director/offline-updates/a.b.json",
    "/director/offline-updates/a/b.json",
    "/director/offline-snapshot.json/",
    "/repo",
    "/repo/comments",
    "/repo/gatehouse/targets",
    "/repo/targets",
    "/repo/targets/",
    "/repo/targets/dir/",
    "/repo/target_items",
    "/repo/delegations/",
    "/repo/delegations/.json",
    "/repo/delegations/a/b.json",
    "/core",
    "/core/",
    "/core/installed/x",
    "/system_info/other",
    "/events/x",
    "/treehub/objects/aa/bb.commit",
    "/campaigner/campaigns/1",
    "/devices",
    "/api/v1/devices",
    `/api/v1/root/${UUID}`,
    `/api/v1/root/${UUID}/keys/targets/pairs`,
    `/repo/api/v1/root/${UUID}/keys/targets/pairs`,
    `/director/api/v1/root/${UUID}`,
    "/health",
    "/Director/targets.json",
  ])("GET %s is 404", (url) => {
    expect(map("GET", url)).toMatchObject({ to: "nowhere", status: 404 });
  });

  it.each([
    ["PUT", "/repo/targets/fw", ["GET", "HEAD"]],
    ["DELETE", "/repo/targets/fw", ["GET", "HEAD"]],
    ["PUT", "/repo/targets.json", ["GET"]],
    ["POST", "/director/targets.json", ["GET"]],
    ["GET", "/director/manifest", ["PUT"]],
    ["GET", "/events", ["POST"]],
    ["OPTIONS", "/events", ["POST"]],
    ["POST", "/campaigner/campaigns", ["GET"]],
  ])("%s %s is 405 and names what is allowed", (method, url, allow) => {
    expect(map(method, url)).toEqual({ to: "nowhere", status: 405, allow });
  });

  it.each([
    ["an absolute form", "http://evil.example/director/targets.json"],
    ["an authority", "//evil.example/director/targets.json"],
    ["no slash", "director/targets.json"],
    ["an asterisk", "*"],
    ["an empty segment", "/director//targets.json"],
    ["a dot segment", "/repo/./targets.json"],
    ["a double dot segment", "/repo/../director/targets.json"],
    ["an encoded double dot segment", "/repo/targets/%2e%2e/comments"],
    ["a half encoded one", "/repo/targets/.%2E/comments"],
    ["dots inside a name", "/repo/targets/a..b"],
    ["an encoded slash", "/repo/targets/a%2Fb"],
    ["an encoded slash before dots", "/repo/targets/%2f..%2fcomments"],
    ["a backslash", "/repo/targets/a\\b"],
    ["an encoded backslash", "/repo/targets/a%5cb"],
    ["NUL", "/repo/targets/a%00b"],
    ["a line feed", "/repo/targets/a%0ab"],
    ["DEL", "/repo/targets/a%7fb"],
    ["broken encoding", "/repo/targets/%zz"],
    ["broken UTF-8", "/repo/targets/%ff"],
    ["an overlong slash", "/repo/targets/%c0%af"],
    ["a fragment", "/director/targets.json#x"],
    ["more than four thousand characters", `/repo/targets/${"a".repeat(5_000)}`],
  ])("%s is 400", (_, url) => {
    expect(map("GET", url)).toEqual({ to: "nowhere", status: 400, allow: [] });
  });

  it("never leaves the device's own area or the reading of the repository, whatever is asked", () => {
    const parts = [
      "..",
      ".",
      "%2e",
      "%2e%2e",
      "%2f",
      "/",
      "\\",
      "repo",
      "director",
      "targets",
      "api",
      "v1",
      "?",
      "%00",
      "x",
    ];
    let state = 1;
    const next = (below: number) => {
      state = (state * 1664525 + 1013904223) % 4294967296;
      return Math.floor((state / 4294967296) * below);
    };
    const allowed = [
      `/api/v1/device/${UUID}/`,
      `/api/v1/devices/${UUID}/`,
      `/api/v1/mydevice/${UUID}/`,
      "/api/v1/user_repo/",
    ];
    for (let round = 0; round < 20_000; round++) {
      const url = `/${Array.from({ length: next(8) + 1 }, () => parts[next(parts.length)]).join(next(2) ? "/" : "")}`;
      const mapped = map("GET", url);
      if (mapped.to !== "upstream") continue;
      const { path } = mapped.destination;
      expect(
        allowed.some((prefix) => path.startsWith(prefix)),
        url,
      ).toBe(true);
      expect(new URL(path, "http://x").pathname, url).toBe(path);
    }
  });
});
