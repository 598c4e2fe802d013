/** Joins class names, leaving out what is absent. */
export function cx(...classes: (string | false | null | undefined)[]): string {
  return classes.filter((name) => typeof name === "string" && name !== "").join(" ");
}
