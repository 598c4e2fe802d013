import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

/** The command line was not understood; the caller prints the usage. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export type OptionRules = Readonly<Record<string, { type: "string" | "boolean"; required?: boolean }>>;
export type Given = Readonly<Record<string, string | boolean | undefined>>;

/** Reads `--name value` and `--flag`; refuses what the rules do not name and misses nothing that they require. */
export function readArguments(rules: OptionRules, words: readonly string[]): Given {
  const options: ParseArgsOptionsConfig = Object.fromEntries(
    Object.entries(rules).map(([name, { type }]) => [name, { type }]),
  );
  const given = parse(options, words);
  for (const [name, rule] of Object.entries(rules)) {
    if (rule.required && given[name] === undefined) throw new UsageError(`--${name} is missing`);
    if (given[name] === "") throw new UsageError(`--${name} is empty`);
  }
  return given;
}

/** An option that the rules made a required text. */
export function text(given: Given, name: string): string {
  const value = given[name];
  if (typeof value !== "string") throw new UsageError(`--${name} is missing`);
  return value;
}

/** Seconds in "90s", "15m", "12h", "30d". */
export function parseDurationSeconds(name: string, duration: string): number {
  const [, amount, unit] = /^([1-9]\d{0,5})([smhd])$/.exec(duration) ?? [];
  if (amount === undefined || unit === undefined) throw new UsageError(`--${name} must look like 12h or 30d`);
  const secondsIn: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };
  return Number(amount) * (secondsIn[unit] ?? 0);
}

function parse(options: ParseArgsOptionsConfig, words: readonly string[]): Given {
  try {
    return parseArgs({ args: [...words], options, strict: true, allowPositionals: false }).values as Given;
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}
