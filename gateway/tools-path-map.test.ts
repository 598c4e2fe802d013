import { describe, expect, it } from "vitest";
import { mapToolsPath } from "#gateway/tools-path-map.ts";

const OBJECT = `objects/ab/${"c".repeat(62)}`;
const KEY = "d".repeat(64);
const READ = ["treehub:read", "treehub:push"];
const REPO = ["repo:read", "repo:write"];
const ROLE = [...REPO, "keys:offline"];

describe("what build tools send goes where the contract says, for who has the scope", () => {
  it.each([
    ["HEAD", `/treehub/api/v3/${OBJECT}.commit`, `treehub /api/v3/${OBJECT}.commit`, READ],
    ["GET", `/treehub/${OBJECT}.filez`, `treehub /api/v3/${OBJECT}.filez`, READ],
    ["GET", "/treehub/api/v2/config", "treehub /api/v3/config", READ],
    ["POST", `/treehub/api/v3/${OBJECT}.filez?size=7`, `treehub /api/v3/${OBJECT}.filez?size=7`, ["treehub:push"]],
    ["PUT", `/treehub/api/v3/${OBJECT}.filez`, `treehub /api/v3/${OBJECT}.filez`, ["treehub:push"]],
    ["POST", "/treehub/api/v3/refs/heads/main/arm", "treehub /api/v3/refs/heads/main/arm", ["treehub:push"]],
    ["GET", "/treehub/api/v3/refs/heads/main", "treehub /api/v3/refs/heads/main", READ],
    ["PUT", `/treehub/api/v3/manifests/${KEY}`, `treehub /api/v3/manifests/${KEY}`, ["treehub:push"]],
    [
      "POST",
      "/treehub/deltas/A+/b_c-D+e/superblock",
      "treehub /api/v3/deltas/A%2B/b_c-D%2Be/superblock",
      ["treehub:push"],
    ],
    ["DELETE", "/treehub/deltas/A+/b_c-D+e", "treehub /api/v3/deltas/A%2B/b_c-D%2Be", ["treehub:push"]],
    ["GET", "/treehub/deltas?from=a&to=b", "treehub /api/v3/deltas?from=a&to=b", READ],
    ["GET", "/repo/api/v1/user_repo/root.json", "reposerver /api/v1/user_repo/root.json", ROLE],
    ["GET", "/repo/api/v1/user_repo/7.root.json", "reposerver /api/v1/user_repo/7.root.json", ROLE],
    ["GET", "/repo/api/v1/user_repo/targets.json", "reposerver /api/v1/user_repo/targets.json", ROLE],
    ["PUT", "/repo/api/v1/user_repo/targets", "reposerver /api/v1/user_repo/targets", ["repo:write"]],
    [
      "PUT",
      "/repo/api/v1/user_repo/targets/d/f%2B1?name=a&version=1",
      "reposerver /api/v1/user_repo/targets/d/f%2B1?name=a&version=1",
      ["repo:write"],
    ],
    ["HEAD", "/repo/api/v1/user_repo/targets/f", "reposerver /api/v1/user_repo/targets/f", REPO],
    [
      "PUT",
      "/repo/api/v1/user_repo/delegations/r.json",
      "reposerver /api/v1/user_repo/delegations/r.json",
      ["repo:write"],
    ],
    [
      "POST",
      "/repo/api/v1/user_repo/multipart/initiate/f?fileSize=9",
      "reposerver /api/v1/user_repo/multipart/initiate/f?fileSize=9",
      ["repo:write"],
    ],
    [
      "PUT",
      "/repo/api/v1/user_repo/trusted-delegations/r/remote",
      "reposerver /api/v1/user_repo/trusted-delegations/r/remote",
      ["repo:write"],
    ],
    ["POST", "/repo/api/v1/user_repo", "reposerver /api/v1/user_repo", ["repo:write"]],
    ["POST", "/repo/api/v1/user_repo/root", "reposerver /api/v1/user_repo/root", ["keys:offline"]],
    ["PUT", "/repo/api/v1/user_repo/root/rotate", "reposerver /api/v1/user_repo/root/rotate", ["keys:offline"]],
    [
      "GET",
      `/repo/api/v1/user_repo/root/private_keys/${KEY}`,
      `reposerver /api/v1/user_repo/root/private_keys/${KEY}`,
      ["keys:offline"],
    ],
    [
      "DELETE",
      `/repo/api/v1/user_repo/root/private_keys/${KEY}`,
      `reposerver /api/v1/user_repo/root/private_keys/${KEY}`,
      ["keys:offline"],
    ],
    ["POST", "/api/v1/director/admin/repo/root", "director /api/v1/admin/repo/root", ["keys:offline"]],
    ["GET", "/director/api/v1/admin/repo/2.root.json", "director /api/v1/admin/repo/2.root.json", ["keys:offline"]],
    [
      "DELETE",
      `/director/api/v1/admin/repo/private_keys/${KEY}`,
      `director /api/v1/admin/repo/private_keys/${KEY}`,
      ["keys:offline"],
    ],
  ])("%s %s", (method, url, expected, scopes) => {
    const mapped = mapToolsPath(method, url);
    if (mapped.to !== "upstream") throw new Error(JSON.stringify(mapped));
    expect([`${mapped.destination.upstream} ${mapped.destination.path}`, mapped.scopes]).toEqual([expected, scopes]);
  });
});

describe("what is not listed does not exist", () => {
  it.each([
    "/",
    "/treehub",
    "/treehub/summary",
    "/treehub/gatehouse/usage",
    "/treehub/objects/ab/cd.commit",
    "/treehub/refs",
    "/treehub/refs/",
    "/repo/api/v1/user_repo/gatehouse/items",
    "/repo/api/v1/user_repo/root/private_keys/x",
    "/repo/api/v1/user_repo/targets/",
    "/repo/api/v1/repo/0f8fad5b-d9cb-469f-a165-70867728950e/root.json",
    `/repo/api/v1/root/0f8fad5b-d9cb-469f-a165-70867728950e/keys/${KEY}`,
    "/repo/api/v1/root/0f8fad5b-d9cb-469f-a165-70867728950e/keys/targets/pairs",
    "/keyserver/api/v1/root/x",
    "/api/v1/root/x",
    "/repo/health",
    "/director/api/v1/admin/devices",
    "/director/api/v1/device/x/targets.json",
    "/api/v1/director/admin/repo/offline-updates/x",
    "/director/api/v1/assignments",
    "/constructor",
  ])("GET %s is 404", (url) => {
    expect(mapToolsPath("GET", url)).toMatchObject({ to: "nowhere", status: 404 });
  });

  it.each([
    ["POST", "/treehub/config", ["GET", "HEAD"]],
    ["GET", "/repo/api/v1/user_repo/root/rotate", ["PUT"]],
    ["constructor", "/treehub/config", ["GET", "HEAD"]],
  ])("%s %s is 405", (method, url, allow) => {
    expect(mapToolsPath(method, url)).toEqual({ to: "nowhere", status: 405, allow });
  });

  it.each([
    "/repo/api/v1/user_repo/targets/%2e%2e/root",
    "/repo/api/v1/user_repo/targets/..%2froot%2frotate",
    "/repo/api/v1/user_repo//root/rotate",
    "/treehub/./config",
    "/treehub/config%00",
    "http://evil.example/treehub/config",
    "/treehub/refs/heads/a\\b",
  ])("%s is 400", (url) => {
    expect(mapToolsPath("GET", url)).toMatchObject({ to: "nowhere", status: 400 });
  });
});
