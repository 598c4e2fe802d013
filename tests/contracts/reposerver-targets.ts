import { type ContractEndpoint, type Row, rowsToEndpoints } from "./endpoint.ts";

const UPLOADED = ["upload", "as a form answers 200 with the new signed targets, as any other body 204"] as const;
const ELSEWHERE = ["targets", "is listed with its address, and a download is sent there"] as const;
const LISTED = ["verification-and-lists", "are plain arrays and pages, as in the contract"] as const;
const MULTIPART = ["uploads", "gives out addresses, answers ETags and keeps the whole for the signed list"] as const;
const TRUSTED = ["delegations", "stand in the signed targets, keys first, and can be taken back"] as const;
const REMOTE = ["delegations", "is fetched with its headers, again on demand, and says so"] as const;
const NAMED = ["delegations", "has a friendly name, and nothing else that can be changed"] as const;
const SERVED = ["delegations", "is served as the bytes that the snapshot names"] as const;
const SEARCHED = ["delegations", "can be searched by what it lists"] as const;
const FOUND = ["search", "finds one image, and all hardware ids"] as const;
const SBOM = ["search", "is noted, listed, followed and deleted"] as const;

const IMAGES: readonly Row[] = [
  ["PUT", "/targets/*", "3", UPLOADED, "with a form"],
  ["PUT", "/targets/*", "3", UPLOADED, "with the bytes as body"],
  ["PUT", "/targets/*", "3", ["targets", "is fetched, over redirects, from where the settings allow"], "with fileUri"],
  ["POST", "/targets/*", "3", ELSEWHERE],
  ["HEAD", "/targets/*", "3", ["download-and-delete", "answers HEAD without a body"]],
  [
    "GET",
    "/targets/*",
    "3",
    ["download-and-delete", "is the whole image, its length and the promise of ranges"],
    "bytes",
  ],
  ["GET", "/targets/*", "3", ELSEWHERE, "redirect"],
  [
    "DELETE",
    "/targets/*",
    "3",
    ["download-and-delete", "takes the image off the signed list, with its comment and its bytes"],
  ],
  ["PATCH", "/targets/*", "3", ["targets", "is replaced by PATCH, without a new date, and reaches the signed list"]],
  [
    "PATCH",
    "/proprietary-custom/*",
    "3",
    ["targets", "is merged by PATCH of the proprietary part, and cleared by an empty one"],
  ],
  ["GET", "/target_items", "3", LISTED],
  ["GET", "/target_items/*", "3", ["targets", "without name or version has no custom part"]],
  ["GET", "/comments", "3.2", LISTED],
  ["GET", "/comments/*", "3.2", LISTED],
  ["PUT", "/comments/*", "3.2", LISTED],
  ["POST", "/list-target-comments", "3.2", LISTED],
  ["POST", "/multipart/initiate/*", "3.3", MULTIPART],
  ["GET", "/multipart/url/*", "3.3", MULTIPART],
  ["PUT", "/multipart/complete/*", "3.3", MULTIPART],
  ["PUT", "/uploads/*", "3.3", ["uploads", "is sent on to an address that takes exactly it"]],
  ["GET", "/trusted-delegations", "4", TRUSTED],
  ["PUT", "/trusted-delegations", "4", TRUSTED],
  ["DELETE", "/trusted-delegations/:name", "4", TRUSTED],
  ["GET", "/trusted-delegations/keys", "4", TRUSTED],
  ["PUT", "/trusted-delegations/keys", "4", TRUSTED],
  ["PUT", "/trusted-delegations/:name/remote", "4", REMOTE],
  ["PUT", "/trusted-delegations/:name/remote/refresh", "4", REMOTE],
  ["GET", "/trusted-delegations/:name/info", "4", REMOTE],
  ["PATCH", "/trusted-delegations/:name/info", "4", NAMED],
  ["GET", "/trusted-delegations/info", "4", NAMED],
  ["PUT", "/delegations/:name.json", "4", SERVED],
  ["GET", "/delegations/:name.json", "4", SERVED],
  ["GET", "/delegations_items", "4", SEARCHED],
  ["GET", "/delegations_items/*", "4", SEARCHED],
];

const SEARCHES: readonly Row[] = [
  ["POST", "/search", "9", ["search", "answers own and delegated images, latest first"]],
  ["GET", "/grouped-search", "9", ["search", "groups images of one name"]],
  ["GET", "/packages/*", "9", FOUND],
  ["GET", "/hardwareids-packages", "9", FOUND],
];

const SBOMS: readonly Row[] = [
  ["GET", "", "9", SBOM],
  ["GET", "/:filename", "9", SBOM],
  ["PUT", "/:filename", "9", SBOM],
  ["DELETE", "/:filename", "9", SBOM],
  ["GET", "/raw/:filename", "9", SBOM],
];

/** Images, their bytes, delegations and search; identical below `/api/v1/repo/{repoId}`. */
export const REPOSERVER_TARGETS_ENDPOINTS: readonly ContractEndpoint[] = [
  ...below("/api/v1/user_repo", IMAGES),
  ...below("/api/v2/user_repo", SEARCHES),
  ...below("/api/v1/sboms", SBOMS),
  {
    method: "GET",
    path: "/api/v1/user_repo/comments",
    form: "[B], paged",
    contract: "reposerver-keyserver.md 3.2",
    absent: "One path has one form; clients of the first generation need the plain array.",
  },
];

function below(base: string, rows: readonly Row[]): readonly ContractEndpoint[] {
  return rowsToEndpoints({ base, contract: "reposerver-keyserver.md", tests: "services/image-repo/tests" }, rows);
}
