import type { Ecu } from "#lib/contracts/console/devices.ts";

/** SHA-256 of nothing: what a device reports that never installed anything from here, under a name it made up. */
const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** The image an ECU runs, as far as it is one that can be named; null for "nothing of ours". */
export function namedImage(image: Ecu["installed"]): Ecu["installed"] {
  return image === null || image.sha256 === EMPTY_SHA256 ? null : image;
}
