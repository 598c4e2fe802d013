import type { Image } from "#lib/contracts/console/images.ts";
import type { Upload } from "#lib/contracts/console/uploads.ts";
import { api } from "./api.ts";
import { digestFile } from "./file-digest.ts";
import { hex } from "./hex.ts";
import { ApiProblem, readProblem, unreachable } from "./problem.ts";
import { waitForSignIn } from "./sign-in-again.ts";

export type NewImage = { name: string; version: string; hardwareIds: readonly string[] };

/** Enough to go on after a reload: everything but the file, which only the person can pick again. */
export type KeptUpload = { id: string; filename: string; fileName: string; length: number; sha256: string };

export type UploadProgress = { stage: "digest" | "sending" | "waiting" | "verifying"; sent: number };

type Run = {
  file: File;
  onProgress: (progress: UploadProgress) => void;
  signal: AbortSignal;
};

/** Another file than the one the upload began with. */
export class OtherFileError extends Error {
  override readonly name = "OtherFileError";
}

const WAITS_MS = [1_000, 2_000, 5_000, 10_000, 20_000];

/**
 * Sends a new image: digests it, begins an upload in parts and carries it to its end, through restarts of the console and lost
 * connections. Where the repository takes no parts, in one piece.
 *
 * @param onOpened told once the upload can be gone on with after a reload
 * @throws ApiProblem; `AbortError` when `signal` is aborted
 */
export async function uploadImage(image: NewImage, run: Run, onOpened: (kept: KeptUpload) => void): Promise<Image> {
  const { file, signal } = run;
  const sha256 = await digest(run);
  let upload: Upload;
  try {
    upload = await persist(run, 0, () => api.openUpload({ ...image, length: file.size, sha256 }));
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.code !== "upload.unsupported") throw error;
    return sendWhole(image, sha256, run);
  }
  const kept = { id: upload.id, filename: upload.filename, fileName: file.name, length: file.size, sha256 };
  signal.throwIfAborted();
  onOpened(kept);
  return sendParts(kept, upload, run);
}

/**
 * Goes on with an upload that a reload or another day has interrupted, with the parts that are missing.
 *
 * @throws OtherFileError when the file is not the one it began with | ApiProblem | `AbortError`
 */
export async function resumeUpload(kept: KeptUpload, run: Run): Promise<Image> {
  const other = run.file.size !== kept.length || (await digest(run)) !== kept.sha256;
  if (other) throw new OtherFileError(`This is not the file that the upload began with (${kept.fileName}).`);
  return sendParts(kept, await persist(run, 0, () => api.getUpload(kept.id)), run);
}

function digest({ file, onProgress, signal }: Run): Promise<string> {
  onProgress({ stage: "digest", sent: 0 });
  return digestFile(file, (read) => onProgress({ stage: "digest", sent: read }), signal);
}

async function sendParts(kept: KeptUpload, upload: Upload, run: Run): Promise<Image> {
  const { file, onProgress } = run;
  const here = new Set(upload.parts.map(({ number }) => number));
  let sent = 0;
  for (let number = 1; number <= upload.partCount; number += 1) {
    const part = file.slice((number - 1) * upload.partSize, number * upload.partSize);
    if (!here.has(number)) {
      const before = sent;
      const tell = (loaded: number) => onProgress({ stage: "sending", sent: (before + loaded) / file.size });
      await persist(run, before / file.size, () => sendPart({ id: upload.id, number, part }, tell, run.signal));
    }
    sent += part.size;
    onProgress({ stage: "sending", sent: sent / file.size });
  }
  onProgress({ stage: "verifying", sent: 1 });
  return persist(run, 1, () => complete(kept));
}

/** The answer to an earlier try may have been lost: then the upload is gone, and the image is there. */
async function complete({ id, filename, sha256 }: KeptUpload): Promise<Image> {
  try {
    return await api.completeUpload(id);
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.code !== "upload.not_found") throw error;
    const image = await api.getImage(filename).catch(() => null);
    if (image?.sha256 === sha256) return image;
    throw error;
  }
}

/** Tries again for as long as the console, or what stands behind it, does not answer. */
async function persist<T>({ onProgress, signal }: Run, sent: number, act: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await act();
    } catch (error) {
      if (signal.aborted || !(error instanceof ApiProblem) || !(error.status === 0 || error.status >= 502)) throw error;
      onProgress({ stage: "waiting", sent });
      await pause(WAITS_MS[attempt] ?? WAITS_MS.at(-1) ?? 0, signal);
    }
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

type Part = { id: string; number: number; part: Blob };

async function sendPart(
  { id, number, part }: Part,
  onSent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const sha256 = await quickDigest(part);
  const path = `/api/v1/uploads/${id}/parts/${number}${sha256 === null ? "" : `?sha256=${sha256}`}`;
  await send({ method: "PUT", path, body: part, type: "application/octet-stream" }, onSent, signal);
}

/** null where the browser has no digest of its own: on plain HTTP from another machine. */
async function quickDigest(part: Blob): Promise<string | null> {
  if (globalThis.crypto?.subtle === undefined) return null;
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", await part.arrayBuffer())));
}

async function sendWhole(image: NewImage, sha256: string, { file, onProgress, signal }: Run): Promise<Image> {
  const form = new FormData();
  form.set("name", image.name);
  form.set("version", image.version);
  form.set("hardwareIds", image.hardwareIds.join(","));
  form.set("sha256", sha256);
  form.set("file", file);
  const tell = (loaded: number) =>
    onProgress({ stage: loaded < file.size ? "sending" : "verifying", sent: Math.min(1, loaded / file.size) });
  const response = await send({ method: "POST", path: "/api/v1/images", body: form, type: null }, tell, signal);
  return (await response.json()) as Image; // narrowed by the server
}

type Sent = { method: "POST" | "PUT"; path: string; body: Blob | FormData; type: string | null };

/** @throws ApiProblem for every answer that is no success; a lost session is asked for again once */
async function send(sent: Sent, onSent: (bytes: number) => void, signal: AbortSignal): Promise<Response> {
  let response = await exchange(sent, onSent, signal);
  if (response.status === 401 && (await waitForSignIn())) response = await exchange(sent, onSent, signal);
  if (!response.ok) throw await readProblem(response);
  return response;
}

/** XMLHttpRequest, because fetch does not tell how much of a body has been sent. */
function exchange(sent: Sent, onSent: (bytes: number) => void, signal: AbortSignal): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(sent.method, sent.path);
    request.setRequestHeader("accept", "application/json");
    if (sent.type !== null) request.setRequestHeader("content-type", sent.type);
    request.upload.onprogress = ({ loaded }) => onSent(loaded);
    request.onload = () => {
      const type = request.getResponseHeader("content-type") ?? "text/plain";
      resolve(new Response(request.responseText, { status: request.status, headers: { "content-type": type } }));
    };
    request.onerror = () => reject(unreachable(new Error("the upload broke off")));
    request.onabort = () => reject(new DOMException("The upload was stopped.", "AbortError"));
    if (signal.aborted) return void reject(signal.reason);
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(sent.body);
  });
}
