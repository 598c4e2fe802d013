/** Runs work that it is given, so many at a time; the rest waits its turn in memory. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

export function createTurns(width: number): Turns {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running < width) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
