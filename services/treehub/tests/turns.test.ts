import { expect, it } from "vitest";
import { createTurns } from "#services/treehub/turns.ts";

it("runs so many at a time, in order, also after one that fails", async () => {
  const turns = createTurns(2);
  const order: number[] = [];
  let running = 0;
  let most = 0;
  const work = (index: number) =>
    turns(async () => {
      order.push(index);
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (index === 1) throw new Error("one that fails");
    });
  const done = await Promise.allSettled([0, 1, 2, 3, 4, 5].map(work));
  expect([most, running, order]).toEqual([2, 0, [0, 1, 2, 3, 4, 5]]);
  expect(done.filter(({ status }) => status === "rejected")).toHaveLength(1);
});
