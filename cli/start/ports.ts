import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "#lib/errors/app-error.ts";

export interface WantedPort {
  readonly setting: string;
  readonly purpose: string;
  readonly host: string;
  readonly port: number;
}

/**
 * Proves that every port can be had. `patienceMs` is how long a killed run's parts may still be letting go of theirs.
 *
 * @throws AppError `start.failed`, a sentence for each port that can not, with its setting
 */
export async function assertPortsFree(wanted: readonly WantedPort[], patienceMs: number): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const problems = (await Promise.all(wanted.map(findProblem))).filter((problem) => problem !== null);
    if (problems.length === 0) return;
    if (Date.now() >= deadline) throw new AppError("start.failed", problems.join("\n"));
    await sleep(200);
  }
}

function findProblem({ setting, purpose, host, port }: WantedPort): Promise<string | null> {
  const sentences: Record<string, string> = {
    EADDRINUSE: `Port ${port} (${purpose}) is taken by another program: stop it, or set ${setting} to a free port.`,
    EACCES: `Port ${port} (${purpose}) is reserved for root: set ${setting} to a port above 1023.`,
    EADDRNOTAVAIL: `${host}:${port} (${purpose}) is not an address of this machine: mend the host that goes with ${setting}.`,
  };
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => {
      resolve(sentences[error.code ?? ""] ?? `Port ${port} (${purpose}, ${setting}) cannot be used: ${error.message}.`);
    });
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(null)));
  });
}
