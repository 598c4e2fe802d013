import type { ContractEndpoint } from "#tests/contracts/endpoint.ts";

const UPLOADS = "services/image-repo/tests/uploads.test.ts";
const TARGETS = "services/image-repo/tests/targets.test.ts";
const DELEGATIONS = "services/image-repo/tests/delegations.test.ts";
const SEARCH = "services/image-repo/tests/search.test.ts";
const DIRECT = "services/image-repo/tests/upload.test.ts";
const DOWNLOADS = "services/image-repo/tests/download-and-delete.test.ts";
const LISTS = "services/image-repo/tests/verification-and-lists.test.ts";

/** Images, their bytes, delegations and search; identical below `/api/v1/repo/{repoId}`. */
export const REPOSERVER_TARGETS_ENDPOINTS: readonly ContractEndpoint[] = [
  {
    method: "PUT",
    path: "/api/v1/user_repo/targets/*",
    form: "with a form",
    contract: "reposerver-keyserver.md 3",
    test: { file: DIRECT, title: "as a form answers 200 with the new signed targets, as any other body 204" },
  },
  {
    method: "PUT",
    path: "/api/v1/user_repo/targets/*",
    form: "with the bytes as body",
    contract: "reposerver-keyserver.md 3",
    test: { file: DIRECT, title: "as a form answers 200 with the new signed targets, as any other body 204" },
  },
  {
    method: "PUT",
    path: "/api/v1/user_repo/targets/*",
    form: "with fileUri",
    contract: "reposerver-keyserver.md 3",
    test: { file: TARGETS, title: "is fetched, over redirects, from where the settings allow" },
  },
  {
    method: "POST",
    path: "/api/v1/user_repo/targets/*",
    contract: "reposerver-keyserver.md 3",
    test: { file: TARGETS, title: "is listed with its address, and a download is sent there" },
  },
  {
    method: "HEAD",
    path: "/api/v1/user_repo/targets/*",
    contract: "reposerver-keyserver.md 3",
    test: { file: DOWNLOADS, title: "answers HEAD without a body" },
  },
  {
    method: "GET",
    path: "/api/v1/user_repo/targets/*",
    form: "bytes",
    contract: "reposerver-keyserver.md 3",
    test: { file: DOWNLOADS, title: "is the whole image, its length and the promise of ranges" },
  },
  {
    method: "GET",
    path: "/api/v1/user_repo/targets/*",
    form: "redirect",
    contract: "reposerver-keyserver.md 3",
    test: { file: TARGETS, title: "is listed with its address, and a download is sent there" },
  },
  {
    method: "DELETE",
    path: "/api/v1/user_repo/targets/*",
    contract: "reposerver-keyserver.md 3",
    test: { file: DOWNLOADS, title: "takes the image off the signed list, with its comment and its bytes" },
  },
  {
    method: "PATCH",
    path: "/api/v1/user_repo/targets/*",
    contract: "reposerver-keyserver.md 3",
    test: { file: TARGETS, title: "is replaced by PATCH, without a new date, and reaches the signed list" },
  },
  {
    method: "PATCH",
    path: "/api/v1/user_repo/proprietary-custom/*",
    contract: "reposerver-keyserver.md 3",
    test: { file: TARGETS, title: "is merged by PATCH of the proprietary part, and cleared by an empty one" },
  },
  {
    method: "GET",
    path: "/api/v1/user_repo/target_items",
    contract: "reposerver-keyserver.md 3",
    test: { file: LISTS, title: "are plain arrays and pages, as in the contract" },
  },
  {
    method: "GET",
    path: "/api/v1/user_repo/target_items/*",
    contract: "reposerver-keyserver.md 3",
    test: { file: TARGETS, title: "without name or version has no custom part" },
  },
  {
    method: "GET",
    path: "/api/v1/user_repo/comments",
    contract: "reposerver-keyserver.md 3.2",
    test: { file: LISTS, title: "are plain arrays and pages, as in the contract" },
  },
  {
    method: "GET",
    path: "/api/v1/user_repo/comments/*",
    contract: "reposerver-keyserver.md 3.2",
    test: { file: LISTS, title: "are plain arrays and pages, as in the contract" },
  },
  {
    method: "PUT",
    path: "/api/v1/user_repo/comments/*",
    contract: "reposerver-keyserver.md 3.2",
    test: { file: LISTS, title: "are plain arrays and pages, as in the contract" },
  },
  {
    method: "POST",
    path: "/api/v1/user_repo/list-target-comments",
    contract: "reposerver-keyserver.md 3.2",
    test: { file: LISTS, title: "are plain arrays and pages, as in the contract" },
  },
  {
    method: "POST",
    path: "/api/v1/user_repo/multipart/initiate/*",
    contract: "reposerver-keyserver.md 3.3",
    test: { file: UPLOADS, title: "gives out addresses, answers ETags and keeps the whole for the signed list" },
  },
  {
    method: "GET",
    path: "/api/v1/user_repo/multipart/url/*",
    contract: "reposerver-keyserver.md 3.3",
    test: { file: UPLOADS, title: "gives out addresses, answers ETags and keeps the whole for the signed list" },
  },
  {
    method: "PUT",
    path: "/api/v1/user_repo/multipart/complete/*",
    contract: "reposerver-keyserver.md 3.3",
    test: { file: UPLOADS, title: "gives out addresses, answers ETags and keeps the whole for the signed list" },
  },
  {
    method: "PUT",
    path: "/api/v1/user_repo/uploads/*",
    contract: "reposerver-keyserver.md 3.3",
    test: { file: UPLOADS, title: "is sent on to an address that takes exactly it" },
  },
  {
    method: "GET",
    path: "/api/v1/user_repo/trusted-delegations",
    contract: "reposerver-keyserver.md 4",
    test: { file: DELEGATIONS, title: "stand in the signed targets, keys first, and can be taken back" },
  },
  {
    method: "PUT",
    path: "/api/v1/user_repo/trusted-delegations",
    contract: "reposerver-keyserver.md 4",
    test: { file: DELEGATIONS, title: "stand in the signed targets, keys first, and can be taken back" },
  },
  {
    method: "DELETE",
    path: "/api/v1/user_repo/trusted-delegations/:name",
    contract: "reposerver-keyserver.md 4",
    test: { file: DELEGATIONS, title: "stand in the signed targets, keys first, and can be taken back" },
  },
  {
    method: "GET",
    path: "/api/v1/user_repo/trusted-delegations/keys",
    contract: "reposerver-keyserver.md 4",
    test: { file: DELEGATIONS, title: "stand in the signed targets, keys first, and can be taken back" },
  },
  {
    method: "PUT",
    path: "/api/v1/user_repo/trusted-delegations/keys",
    contract: "reposerver-keyserver.md 4",
    test: { file: DELEGATIONS, title: "stand in the signed targets, keys first, and can be taken back" },
  },
  {
    method: "PUT",
    path: "/api/v1/user_repo/trusted-delegations/:name/remote",
    contract: "reposerver-keyserver.md 4",
    test: { file: DELEGATIONS, title: "is fetched with its headers, again on demand, and says so" },
  },
  {
    method: "PUT",
    path: "/api/v1/user_repo/trusted-delegations/:name/remote/refresh",
    contract: "reposerver-keyserver.md 4",
    test: { file: DELEGATIONS, title: "is fetched with its headers, again on demand, and says so" },
  },
  {
    method: "GET",
    path: "/api/v1/user_repo/trusted-delegations/:name/info",
    contract: "reposerver-keyserver.md 4",
    test: { file: DELEGATIONS, title: "is fetched with its headers, again on demand, and says so" },
  },
  {
    method: "PATCH",
    path: "/api/v1/user_repo/trusted-delegations/:name/info",
    contract: "reposerver-keyserver.md 4",
    test: { file: DELEGATIONS, title: "has a friendly name, and nothing else that can be changed" },
  },
  {
    method: "GET",
    path: "/api/v1/user_repo/trusted-delegations/info",
    contract: "reposerver-keyserver.md 4",
    test: { file: DELEGATIONS, title: "has a friendly name, and nothing else that can be changed" },
  },
  {
    method: "PUT",
    path: "/api/v1/user_repo/delegations/:name.json",
    contract: "reposerver-keyserver.md 4",
    test: { file: DELEGATIONS, title: "is served as the bytes that the snapshot names" },
  },
  {
    method: "GET",
    path: "/api/v1/user_repo/delegations/:name.json",
    contract: "reposerver-keyserver.md 4",
    test: { file: DELEGATIONS, title: "is served as the bytes that the snapshot names" },
  },
  {
    method: "GET",
    path: "/api/v1/user_repo/delegations_items",
    contract: "reposerver-keyserver.md 4",
    test: { file: DELEGATIONS, title: "can be searched by what it lists" },
  },
  {
    method: "GET",
    path: "/api/v1/user_repo/delegations_items/*",
    contract: "reposerver-keyserver.md 4",
    test: { file: DELEGATIONS, title: "can be searched by what it lists" },
  },
  {
    method: "POST",
    path: "/api/v2/user_repo/search",
    contract: "reposerver-keyserver.md 9",
    test: { file: SEARCH, title: "answers own and delegated images, latest first" },
  },
  {
    method: "GET",
    path: "/api/v2/user_repo/grouped-search",
    contract: "reposerver-keyserver.md 9",
    test: { file: SEARCH, title: "groups images of one name" },
  },
  {
    method: "GET",
    path: "/api/v2/user_repo/packages/*",
    contract: "reposerver-keyserver.md 9",
    test: { file: SEARCH, title: "finds one image, and all hardware ids" },
  },
  {
    method: "GET",
    path: "/api/v2/user_repo/hardwareids-packages",
    contract: "reposerver-keyserver.md 9",
    test: { file: SEARCH, title: "finds one image, and all hardware ids" },
  },
  {
    method: "GET",
    path: "/api/v1/sboms",
    contract: "reposerver-keyserver.md 9",
    test: { file: SEARCH, title: "is noted, listed, followed and deleted" },
  },
  {
    method: "GET",
    path: "/api/v1/sboms/:filename",
    contract: "reposerver-keyserver.md 9",
    test: { file: SEARCH, title: "is noted, listed, followed and deleted" },
  },
  {
    method: "PUT",
    path: "/api/v1/sboms/:filename",
    contract: "reposerver-keyserver.md 9",
    test: { file: SEARCH, title: "is noted, listed, followed and deleted" },
  },
  {
    method: "DELETE",
    path: "/api/v1/sboms/:filename",
    contract: "reposerver-keyserver.md 9",
    test: { file: SEARCH, title: "is noted, listed, followed and deleted" },
  },
  {
    method: "GET",
    path: "/api/v1/sboms/raw/:filename",
    contract: "reposerver-keyserver.md 9",
    test: { file: SEARCH, title: "is noted, listed, followed and deleted" },
  },
  {
    method: "GET",
    path: "/api/v1/user_repo/comments",
    form: "[B], paged",
    contract: "reposerver-keyserver.md 3.2",
    absent: "One path has one form; clients of the first generation need the plain array.",
  },
];
