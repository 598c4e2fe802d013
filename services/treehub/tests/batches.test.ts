import { expect, it } from "vitest";
import { createBatches } from "#services/treehub/batches.ts";

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

it("does what comes meanwhile together, no key twice, and gives each its own result", async () => {
  const done: string[][] = [];
  const batches = createBatches<string, { said: string }>({
    width: 1,
    most: 3,
    keyOf: (word) => word,
    async run(words) {
      done.push([...words]);
      await nextTurn();
      if (words.includes("breaks all")) throw new Error("all of them");
      return words.map((word) => (word === "fails" ? new Error(word) : { said: word }));
    },
  });
  const words = ["a", "b", "b", "fails", "c", "breaks all"];
  const results = await Promise.allSettled(words.map(batches));
  expect(done).toEqual([["a"], ["b", "fails", "c"], ["b", "breaks all"]]);
  const said = results.map((result) => (result.status === "fulfilled" ? result.value.said : String(result.reason)));
  expect(said).toEqual(["a", "b", "Error: all of them", "Error: fails", "c", "Error: all of them"]);
  expect(await batches("later")).toEqual({ said: "later" });
});
