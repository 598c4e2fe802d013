import { readSegments } from "./path-segments.ts";

export const AUTH_REQUESTS = "/api/devices/v1/authentication/auth_requests";

/**
 * What a path is at the Mender door: an authentication request, any other call of the device API, or nothing that exists here.
 *
 * Paths are passed on as they came. So whatever the server might read otherwise than we do is refused: dot segments, empty
 * ones, encoded dots, slashes and backslashes, and every other spelling of the one path that is judged.
 *
 * @see docs/contracts/mender.md section 6
 */
export function mapMenderPath(method: string, url: string): "auth" | "device" | "nowhere" {
  const segments = readSegments(url);
  const [path = ""] = url.split("?", 1);
  if (segments === null || /%(2e|2f|5c|25|00)|;/i.test(path)) return "nowhere";
  const [api, devices, version = "", ...rest] = segments;
  if (api !== "api" || devices !== "devices" || !/^v[0-9a-z]+$/.test(version) || rest.join("") === "") return "nowhere";
  if (path === AUTH_REQUESTS) return method === "POST" ? "auth" : "device";
  return isLike(segments) ? "nowhere" : "device";
}

/** In any version of the API, in any case, with a slash at its end. */
function isLike(segments: readonly string[]): boolean {
  const [, , , ...rest] = segments.map((segment) => segment.normalize("NFKC").toLowerCase());
  return rest.filter((segment) => segment !== "").join("/") === "authentication/auth_requests";
}
