/** One question or piece of work among others that come at the same time. Waiting ones are done together, as soon as there is room. */
export type Batches<Item, Result> = (item: Item) => Promise<Result>;

type Waiting<Item, Result> = {
  readonly item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
};

/**
 * Does single pieces of work together with those that wait beside them: the first at once, what comes while `width` batches are
 * under way in the next. No batch has two items of the same key.
 *
 * @param run does a batch; an item's result may be an error, which only that item gets
 */
export function createBatches<Item, Result>(options: {
  readonly width: number;
  readonly most: number;
  keyOf(item: Item): string;
  run(items: readonly Item[]): Promise<readonly (Result | Error)[]>;
}): Batches<Item, Result> {
  let waiting: Waiting<Item, Result>[] = [];
  let running = 0;

  function take(): Waiting<Item, Result>[] {
    const batch = new Map<string, Waiting<Item, Result>>();
    const left: Waiting<Item, Result>[] = [];
    for (const one of waiting) {
      const key = options.keyOf(one.item);
      if (batch.size < options.most && !batch.has(key)) batch.set(key, one);
      else left.push(one);
    }
    waiting = left;
    return [...batch.values()];
  }

  async function runNext(): Promise<void> {
    if (running >= options.width || waiting.length === 0) return;
    running += 1;
    const batch = take();
    try {
      const results = await options.run(batch.map(({ item }) => item));
      for (const [index, one] of batch.entries()) {
        const result = results[index];
        if (result === undefined || result instanceof Error) one.reject(result);
        else one.resolve(result);
      }
    } catch (error) {
      for (const one of batch) one.reject(error);
    } finally {
      running -= 1;
      void runNext();
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      void runNext();
    });
}
