import type { ContractEndpoint } from "#tests/contracts/endpoint.ts";

const OBJECTS = "services/treehub/tests/objects.test.ts";
const DELTAS = "services/treehub/tests/deltas.test.ts";
const OBJECT = "/api/v2/objects/:p/:rest";
const PAST_US =
  "Bytes that go past the service could not be checked before they count; the answer says so and is tested.";

const stored = { file: OBJECTS, title: "is stored once, found, read whole and in ranges, and deleted" };
const ref = { file: OBJECTS, title: "goes forward to a child, anywhere by force, and says where it is" };
const delta = { file: DELTAS, title: "can be had once its superblock is here, and not before" };
const found = { file: DELTAS, title: "is found by its ends, in the list, and by its commits" };

/** Identical under `/api/v3`. */
export const TREEHUB_ENDPOINTS: readonly ContractEndpoint[] = [
  {
    method: "GET",
    path: "/api/v2/config",
    contract: "treehub.md 2",
    test: { file: OBJECTS, title: "is the same under both addresses, and only for holders of the token" },
  },
  { method: "HEAD", path: OBJECT, contract: "treehub.md 1", test: stored },
  { method: "GET", path: OBJECT, contract: "treehub.md 1", test: stored },
  { method: "POST", path: OBJECT, form: "with the bytes as body", contract: "treehub.md 1", test: stored },
  {
    method: "POST",
    path: OBJECT,
    form: "with a form",
    contract: "treehub.md 1",
    test: { file: OBJECTS, title: "comes as a form too, and is then answered 200" },
  },
  { method: "POST", path: OBJECT, form: "with a redirect to storage", contract: "treehub.md 1", absent: PAST_US },
  { method: "PUT", path: OBJECT, contract: "treehub.md 1", absent: PAST_US },
  { method: "DELETE", path: OBJECT, contract: "treehub.md 1", test: stored },
  { method: "GET", path: "/api/v2/refs/*", contract: "treehub.md 1", test: ref },
  { method: "POST", path: "/api/v2/refs/*", contract: "treehub.md 4", test: ref },
  {
    method: "PUT",
    path: "/api/v2/manifests/:commit",
    contract: "treehub.md 5",
    test: { file: OBJECTS, title: "is kept as it came, with its commit only" },
  },
  {
    method: "GET",
    path: "/api/v2/delta-indexes/:p/:rest",
    contract: "treehub.md 6",
    test: { file: DELTAS, title: "is in the index as ostree itself writes it" },
  },
  { method: "POST", path: "/api/v2/deltas/:p/:rest/:file", contract: "treehub.md 1", test: delta },
  { method: "GET", path: "/api/v2/deltas/:p/:rest/:file", contract: "treehub.md 1", test: delta },
  {
    method: "DELETE",
    path: "/api/v2/deltas/:p/:rest",
    contract: "treehub.md 1",
    test: { file: DELTAS, title: "that is deleted is gone at once, its files after the sweep, and may come again" },
  },
  { method: "GET", path: "/api/v2/deltas", form: "by its ends", contract: "treehub.md 1", test: found },
  { method: "GET", path: "/api/v2/deltas", form: "pages", contract: "treehub.md 1", test: found },
  { method: "POST", path: "/api/v2/deltas", contract: "treehub.md 1", test: found },
];
