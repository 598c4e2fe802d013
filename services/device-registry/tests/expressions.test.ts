import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { type GroupExpression, parseStoredExpression, printGroupExpression } from "#lib/domain/group-expression.ts";
import { pick, seededRandom } from "#tests/harness/random.ts";
import { createFixtures } from "./groups-fixtures.ts";
import { openRegistry } from "./harness.ts";

const registry = openRegistry();
const { add, smart, members, importTags } = createFixtures(registry);

type Subject = { uuid: string; deviceId: string; tags: Readonly<Record<string, string>> };

/** What the contract says of an expression, in the plainest words: the judge of what the database computes. */
function holds(expression: GroupExpression, device: Subject): boolean {
  if (expression.kind === "and") return expression.operands.every((operand) => holds(operand, device));
  if (expression.kind === "or") return expression.operands.some((operand) => holds(operand, device));
  const { subject } = expression;
  const value = subject.kind === "deviceId" ? device.deviceId : device.tags[subject.tagId];
  if (expression.kind === "contains") return value?.toLowerCase().includes(expression.word.toLowerCase()) ?? false;
  const found = [...(value ?? "")][expression.position - 1]?.toLowerCase();
  return (found === expression.character.toLowerCase()) !== expression.negated;
}

function anyExpression(random: () => number, depth: number): string {
  const subject = pick(random, ["deviceid", "tag(t)", "tag(u v)", "tag(nobody)"]);
  const word = pick(random, ["a", "B1", "-", "b-1"]);
  if (depth === 0 || random() < 0.3)
    return random() < 0.5
      ? `${subject} contains ${word}`
      : `${subject} position(${1 + Math.floor(random() * 4)}) is ${random() < 0.5 ? "not " : ""}${pick(random, ["a", "B", "1"])}`;
  const inner = () => anyExpression(random, depth - 1);
  return `(${inner()} ${pick(random, ["and", "or"])} ${inner()})`;
}

it("has in 40 smart groups of random expressions exactly the devices that the contract says", async () => {
  registry.namespace = randomUUID();
  const random = seededRandom(7);
  const text = () => Array.from({ length: Math.floor(random() * 5) }, () => pick(random, [..."aAbB1-_%"])).join("");
  const devices: Subject[] = [];
  for (let index = 0; index < 15; index += 1) {
    const deviceId = `${text()}z${index}`;
    devices.push({ uuid: await add(deviceId), deviceId, tags: { t: text(), "u v": text() } });
  }
  const lines = devices.map(({ deviceId, tags }) => `${deviceId};${tags.t};${tags["u v"]}`);
  expect((await importTags(["DeviceID;t;u v", ...lines].join("\n"))).status).toBe(204);
  const filled = devices.map((device) => ({
    ...device,
    tags: Object.fromEntries(Object.entries(device.tags).filter(([, value]) => value !== "")),
  }));
  let mixed = 0;
  for (let index = 0; index < 40; index += 1) {
    let typed = anyExpression(random, 3);
    while (typed.length > 200) typed = anyExpression(random, 2);
    const expression = parseStoredExpression(typed);
    const expected = filled.filter((device) => holds(expression, device)).map(({ uuid }) => uuid);
    const found = await members(await smart(`g${index}`, typed));
    expect([printGroupExpression(expression), found]).toEqual([printGroupExpression(expression), expected.sort()]);
    if (found.length > 0 && found.length < devices.length) mixed += 1;
  }
  expect(mixed).toBeGreaterThan(15);
});
