import { beforeEach, describe, expect, it } from "vitest";
import { AppError } from "#lib/errors/app-error.ts";
import { type Breaker, createBreaker } from "./breaker.ts";

let now: number;
let asked: number;
let breaker: Breaker;
const JUDGE = { isFailure: (error: unknown) => error instanceof AppError };

beforeEach(() => {
  now = 0;
  asked = 0;
  breaker = createBreaker({ name: "director", now: () => now });
});

const dead = () =>
  breaker.run(async () => {
    asked += 1;
    throw new AppError("backend.timeout", "It took too long.");
  }, JUDGE);
const alive = () =>
  breaker.run(async () => {
    asked += 1;
    return "answer";
  }, JUDGE);
const fail = async (times: number) => {
  for (let index = 0; index < times; index += 1) await expect(dead()).rejects.toThrow();
};

describe("a back end's breaker", () => {
  it("fails at once, naming the back end, after three calls in a row that were not answered", async () => {
    await fail(2);
    await alive();
    await fail(3);
    expect(breaker.state()).toBe("open");
    asked = 0;
    await expect(alive()).rejects.toMatchObject({ code: "backend.unreachable", context: { service: "director" } });
    expect(asked).toBe(0);
  });

  it("lets one call find out after a while, and all when it is answered", async () => {
    await fail(3);
    now = 1_000;
    expect(breaker.state()).toBe("half_open");
    const { promise, resolve } = Promise.withResolvers<string>();
    const trial = breaker.run(() => promise, JUDGE);
    await expect(alive()).rejects.toMatchObject({ context: { reason: "breaker_open" } });
    resolve("answer");
    expect(await trial).toBe("answer");
    expect([await alive(), breaker.state()]).toEqual(["answer", "closed"]);
  });

  it("waits twice as long after each failed trial, up to ten seconds", async () => {
    await fail(3);
    for (const waited of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
      now += waited - 1;
      expect(breaker.state()).toBe("open");
      now += 1;
      await fail(1);
    }
  });

  it("takes what is not the back end's doing for no failure, and a trial given up for no answer", async () => {
    const broken = () => breaker.run(() => Promise.reject(new Error("the browser went away")), JUDGE);
    for (let index = 0; index < 5; index += 1) await expect(broken()).rejects.toThrow();
    expect(breaker.state()).toBe("closed");
    await fail(3);
    now = 1_000;
    await expect(broken()).rejects.toThrow("the browser went away");
    expect(breaker.state()).toBe("half_open");
    expect(await alive()).toBe("answer");
  });

  it("believes a probe that was answered", async () => {
    await fail(3);
    breaker.record(true);
    expect([breaker.state(), await alive()]).toEqual(["closed", "answer"]);
  });
});
