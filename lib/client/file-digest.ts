import type { DigestMessage } from "./digest-worker.ts";

/**
 * SHA-256 of a file, computed beside the page; where no worker starts, in it.
 *
 * @throws `AbortError` when `signal` is aborted; Error when the file can't be read any more
 */
export async function digestFile(file: Blob, onProgress: (read: number) => void, signal: AbortSignal): Promise<string> {
  const worker = startWorker();
  if (worker === null) return digestHere(file, onProgress);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const stop = () => reject(new DOMException("The upload was stopped.", "AbortError"));
  signal.addEventListener("abort", stop, { once: true });
  worker.onmessage = ({ data }: MessageEvent<DigestMessage>) => {
    if ("read" in data) onProgress(data.read);
    else if ("sha256" in data) resolve(data.sha256);
    else reject(new Error(data.failure));
  };
  worker.onerror = () => digestHere(file, onProgress).then(resolve, reject); // it could not be loaded
  worker.postMessage(file);
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", stop);
    worker.terminate();
  }
}

function startWorker(): Worker | null {
  try {
    return new Worker(new URL("./digest-worker.ts", import.meta.url), { type: "module" });
  } catch {
    return null;
  }
}

async function digestHere(file: Blob, onProgress: (read: number) => void): Promise<string> {
  const { digestOf } = await import("./digest.ts");
  return digestOf(file, onProgress);
}
