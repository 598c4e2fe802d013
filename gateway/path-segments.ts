const MAX_URL_CHARACTERS = 4_096;

/**
 * The decoded segments of a path; null for any trick: absolute form, empty segments, dot segments, encoded slashes,
 * backslashes, control characters, broken encoding. What is left is encoded anew, so a back end decodes exactly what was judged.
 */
export function readSegments(url: string): string[] | null {
  if (url.length > MAX_URL_CHARACTERS || !url.startsWith("/") || url.includes("#")) return null;
  const [path = ""] = url.split("?", 1);
  const segments: string[] = [];
  const raw = path.slice(1).split("/");
  for (const [index, part] of raw.entries()) {
    const segment = decodeSegment(part);
    const isLast = index === raw.length - 1;
    if (segment === null || (segment === "" && !isLast)) return null;
    segments.push(segment);
  }
  return segments;
}

function decodeSegment(part: string): string | null {
  let segment: string;
  try {
    segment = decodeURIComponent(part);
  } catch {
    return null;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  return /[\u0000-\u001f\u007f/\\]/.test(segment) || segment.includes("..") || segment === "." ? null : segment;
}

/** A path is the same with and without a slash at its end. */
export function withoutSlash(segments: readonly string[]): readonly string[] {
  return segments.length > 1 && segments.at(-1) === "" ? segments.slice(0, -1) : segments;
}
