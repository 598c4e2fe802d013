/** Runs one round of work at a time. Whoever asks while one is under way shares the next with all who do, and that begins after they asked. */
export function createRounds<T>(work: () => Promise<T>): () => Promise<T> {
  let current: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | null = null;
  return () => {
    next ??= current.then(() => {
      next = null;
      const round = work();
      current = round.catch(() => undefined); // told to those who asked for it
      return round;
    });
    return next;
  };
}
