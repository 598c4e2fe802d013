/** What a child process inherits from us, with `changes`; a value of `undefined` takes a variable away. */
export function inheritedEnvironment(changes: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  return { ...process.env, ...changes };
}

/** Nothing of our environment but `values`. Next's types want NODE_ENV in every environment; a foreign program wants none. */
export function bareEnvironment(values: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...values } as NodeJS.ProcessEnv;
}
