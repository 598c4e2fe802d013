import { existsSync } from "node:fs";
import { loadEnvFile } from "node:process";
import { readArguments, UsageError } from "#cli/arguments.ts";
import { COMMANDS, type Command } from "#cli/commands.ts";
import { isAppError } from "#lib/errors/app-error.ts";

/** Runs one command line. Exit codes: 0 done, 1 could not be done (one sentence says why), 2 not understood. */
export async function main(words: readonly string[]): Promise<void> {
  if (words.length === 0 || words[0] === "help" || words.includes("--help")) {
    console.log(usage());
    process.exitCode = words.length === 0 ? 2 : 0;
    return;
  }
  try {
    const command = findCommand(words);
    const given = readArguments(command.options, words.slice(command.name.split(" ").length));
    if (existsSync(".env")) loadEnvFile(".env");
    process.exitCode = await command.run(given);
  } catch (error) {
    process.exitCode = report(error);
  }
}

function findCommand(words: readonly string[]): Command {
  const found = COMMANDS.find(({ name }) => name.split(" ").every((word, index) => words[index] === word));
  if (found !== undefined) return found;
  const known = COMMANDS.some(({ name }) => name.startsWith(`${words[0]} `));
  throw new UsageError(`Unknown command: ${words.slice(0, known ? 2 : 1).join(" ")}`);
}

function report(error: unknown): number {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\n${usage()}`);
    return 2;
  }
  if (!isAppError(error)) throw error;
  console.error(error.message);
  return 1;
}

function usage(): string {
  const lines = COMMANDS.map(({ name, synopsis }) => `gatehouse ${name} ${synopsis}`.trim());
  const width = Math.max(...lines.map((line) => line.length));
  const described = COMMANDS.map(({ summary }, index) => `  ${lines[index]?.padEnd(width)}  ${summary}`);
  return ["Usage:", ...described].join("\n");
}
