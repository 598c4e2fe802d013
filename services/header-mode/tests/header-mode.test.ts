import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { printMessage } from "#services/header-mode/messages.ts";
import {
  type CheckOutcome,
  getHeaderMode,
  parseMessage,
  recordHeaderCheck,
  requestHeaderCheck,
} from "#services/header-mode/service.ts";
import { nextState } from "#services/header-mode/state.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { actorOf, auditStory, expectRefusal, type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";

let database: TestDatabase;
let world: IdentityWorld;
beforeAll(async () => {
  database = await createTestDatabase();
});
beforeEach(() => {
  world = identityWorld(database.url);
});
afterAll(async () => {
  await database.drop();
});

const AT = new Date("2026-01-01T12:00:00Z");
const minutes = (count: number) => new Date(AT.getTime() + count * 60_000);
const row = (state: "off" | "on" | "failed", checkedAt = AT) => ({ state, detail: "before", since: AT, checkedAt });
const outcome = (verdict: CheckOutcome["verdict"], byPerson = false, startedAt = minutes(1)): CheckOutcome => ({
  verdict,
  detail: "after",
  byPerson,
  startedAt,
});

it.each([
  ["a first pass switches on", row("off"), outcome("passed"), 2, "on"],
  ["a failure switches off, whatever was before", row("on"), outcome("failed"), 2, "failed"],
  ["a pass by itself does not end a failure", row("failed"), outcome("passed"), 2, "failed"],
  [
    "a person's test that began before the failure does not end it",
    row("failed"),
    outcome("passed", true, AT),
    2,
    "failed",
  ],
  ["a person's later test that passes ends it", row("failed"), outcome("passed", true), 2, "on"],
  ["a person's test without a verdict does not end it", row("failed"), outcome("inconclusive", true), 2, "failed"],
  ["one try that reaches nobody changes nothing", row("on"), outcome("inconclusive"), 14, "on"],
  ["a quarter of an hour of them switches off", row("on"), outcome("inconclusive"), 15, "off"],
  ["what was off stays off without a verdict", row("off"), outcome("inconclusive"), 2, "off"],
] as const)("%s", (_, before, found, after, state) => {
  expect(nextState(before, found, minutes(after)).state).toBe(state);
});

it("keeps counting from the last pass while nobody can be reached", () => {
  const first = nextState(row("on"), outcome("inconclusive"), minutes(5));
  expect(first).toMatchObject({ state: "on", checkedAt: AT, detail: "after" });
  expect(nextState(first, outcome("inconclusive"), minutes(15)).state).toBe("off");
});

it("records each change of the state, and no repetition of it", async () => {
  const { ctx } = world;
  const at = (verdict: CheckOutcome["verdict"]) => ({ ...outcome(verdict), startedAt: ctx.clock() });
  for (const verdict of ["inconclusive", "passed", "passed", "failed", "passed"] as const) {
    await recordHeaderCheck(ctx, at(verdict));
  }
  expect(await getHeaderMode(ctx, actorOf("support"))).toMatchObject({ state: "failed", publicUrl: null });
  expect(await auditStory(ctx)).toEqual(["header_mode.change done", "header_mode.change done"]);
  await ctx.db.$disconnect();
});

it("is tested at the wish of admins only, and only where there is a proxy", async () => {
  const config = { ...world.ctx.config, DECISION_PUBLIC_URL: "https://devices.example.com" };
  const ctx = { ...world.ctx, config };
  await expectRefusal(requestHeaderCheck(ctx, actorOf("operator")), "auth.forbidden");
  await expectRefusal(requestHeaderCheck(world.ctx, actorOf("admin")), "header_mode.not_configured");
  expect(await requestHeaderCheck(ctx, actorOf("admin"))).toMatchObject({ state: "off", checkedAt: null });
  expect(await auditStory(ctx)).toEqual(["header_mode.check done"]);
  await ctx.db.$disconnect();
});

it("reads back what it prints for other gateways, and nothing else", () => {
  const messages = [
    { kind: "changed" },
    { kind: "check" },
    { kind: "seen", nonce: "ab", forged: true },
    { kind: "seen", nonce: "ab", forged: false },
  ] as const;
  for (const message of messages) expect(parseMessage(printMessage(message))).toEqual(message);
  for (const text of ["", "seen", "seen ab", "seen ab maybe", "seen ab forged more"])
    expect(parseMessage(text)).toBeNull();
});
