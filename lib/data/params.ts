/** URL state without what is not set: contracts know absent, not empty. */
export function present(params: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(params).filter(([, value]) => value !== "" && !(Array.isArray(value) && value.length === 0)),
  );
}
