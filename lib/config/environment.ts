/** What a child process inherits from us, with `changes`; a value of `undefined` takes a variable away. */
export function inheritedEnvironment(changes: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  return { ...process.env, ...changes };
}
