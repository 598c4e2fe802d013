import type { Image } from "#lib/contracts/console/images.ts";
import { readProblem, unreachable } from "./problem.ts";
import { waitForSignIn } from "./sign-in-again.ts";

export type Upload = { name: string; version: string; hardwareIds: readonly string[]; file: File };
export type UploadProgress = { stage: "digest" | "sending" | "verifying"; sent: number };

/** The browser's own digest needs the whole file in memory; above this the server's alone has to do. */
const DIGEST_UP_TO = 256 * 1024 * 1024;

/**
 * Sends an image with its digest, computed here where the browser can, so that the server refuses bytes that changed on the way.
 *
 * @throws ApiProblem; `AbortError` when `signal` is aborted
 */
export async function uploadImage(
  upload: Upload,
  onProgress: (progress: UploadProgress) => void,
  signal: AbortSignal,
): Promise<Image> {
  onProgress({ stage: "digest", sent: 0 });
  const sha256 = await digestOf(upload.file);
  const form = new FormData();
  form.set("name", upload.name);
  form.set("version", upload.version);
  form.set("hardwareIds", upload.hardwareIds.join(","));
  if (sha256 !== null) form.set("sha256", sha256);
  form.set("file", upload.file);
  let response = await post(form, onProgress, signal);
  if (response.status === 401 && (await waitForSignIn())) response = await post(form, onProgress, signal);
  if (!response.ok) throw await readProblem(response);
  return (await response.json()) as Image; // narrowed by the server
}

/** null where the browser can't: on plain HTTP from another machine, or when the file is very large. */
async function digestOf(file: File): Promise<string | null> {
  if (globalThis.crypto?.subtle === undefined || file.size > DIGEST_UP_TO) return null;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** XMLHttpRequest, because fetch does not tell how much of a body has been sent. */
function post(form: FormData, onProgress: (progress: UploadProgress) => void, signal: AbortSignal): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/v1/images");
    request.setRequestHeader("accept", "application/json");
    request.upload.onprogress = ({ loaded, total }) =>
      onProgress({ stage: "sending", sent: total === 0 ? 0 : loaded / total });
    request.upload.onload = () => onProgress({ stage: "verifying", sent: 1 });
    request.onload = () => {
      const type = request.getResponseHeader("content-type") ?? "text/plain";
      resolve(new Response(request.responseText, { status: request.status, headers: { "content-type": type } }));
    };
    request.onerror = () => reject(unreachable(new Error("the upload broke off")));
    request.onabort = () => reject(new DOMException("The upload was stopped.", "AbortError"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}
