import manifest from "#package.json" with { type: "json" };

/** Of this build, from package.json. Imported, not read: in the console's bundle there is no such path to read from. */
export const VERSION: string = manifest.version;
