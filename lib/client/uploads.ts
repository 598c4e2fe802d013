import type { Image } from "#lib/contracts/console/images.ts";
import { api } from "./api.ts";
import { type KeptUpload, type NewImage, resumeUpload, type UploadProgress, uploadImage } from "./upload.ts";

/** One upload as the page knows it; it outlives the dialog that began it, and, without its file, the page. */
export type UploadTask = {
  readonly key: string;
  readonly filename: string;
  readonly fileName: string;
  readonly state:
    | ({ readonly kind: "running" } & UploadProgress)
    /** After a reload: the file must be picked again. */
    | { readonly kind: "paused" }
    | { readonly kind: "failed"; readonly error: unknown }
    | { readonly kind: "done"; readonly image: Image };
  /** null until it can be gone on with after a reload. */
  readonly kept: KeptUpload | null;
  /** A dialog shows it, so that the tray need not. */
  readonly attended: boolean;
};

const STORED = "gatehouse.uploads";
const NONE: readonly UploadTask[] = [];

let tasks: readonly UploadTask[] | null = null;
const running = new Map<string, AbortController>();
const listeners = new Set<() => void>();

export function subscribeToUploads(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The same array until something changes. */
export function uploadTasks(): readonly UploadTask[] {
  tasks ??= readStored().map((kept) => ({
    ...{ key: kept.id, filename: kept.filename, fileName: kept.fileName },
    ...{ state: { kind: "paused" as const }, kept, attended: false },
  }));
  return tasks;
}

export const noUploadTasks = (): readonly UploadTask[] => NONE;

/** Begins an upload that is shown where it was begun. @returns its key */
export function startUpload(image: NewImage, file: File): string {
  const key = crypto.getRandomValues(new Uint32Array(4)).join("-");
  const filename = `${image.name}_${image.version}`;
  const state = { kind: "running" as const, stage: "digest" as const, sent: 0 };
  change([...uploadTasks(), { key, filename, fileName: file.name, state, kept: null, attended: true }]);
  carry(key, (signal) =>
    uploadImage(image, { file, signal, onProgress: (progress) => report(key, progress) }, (kept) => {
      update(key, { kept });
      store();
    }),
  );
  return key;
}

/** Goes on with one that a reload has interrupted. */
export function continueUpload({ key, kept }: UploadTask, file: File): void {
  if (kept === null) return;
  carry(key, (signal) => resumeUpload(kept, { file, signal, onProgress: (progress) => report(key, progress) }));
}

/** Whether a dialog shows it. */
export function attendUpload(key: string, attended: boolean): void {
  update(key, { attended });
}

/** Stops it and has the server forget its parts. */
export function stopUpload({ key, kept }: UploadTask): void {
  running.get(key)?.abort();
  forgetUpload(key);
  // What can't be told now, the server gives up by itself when nothing more comes.
  if (kept !== null) void api.deleteUpload(kept.id).catch(() => undefined);
}

/** Takes it off the list. */
export function forgetUpload(key: string): void {
  change(uploadTasks().filter((task) => task.key !== key));
  store();
}

function carry(key: string, work: (signal: AbortSignal) => Promise<Image>): void {
  const controller = new AbortController();
  running.set(key, controller);
  report(key, { stage: "digest", sent: 0 });
  work(controller.signal)
    .then(
      (image) => update(key, { state: { kind: "done", image }, kept: null }),
      (error: unknown) => {
        if (!controller.signal.aborted) update(key, { state: { kind: "failed", error } });
      },
    )
    .finally(() => {
      running.delete(key);
      store();
    });
}

function report(key: string, progress: UploadProgress): void {
  update(key, { state: { kind: "running", ...progress } });
}

function update(key: string, changes: Partial<UploadTask>): void {
  change(uploadTasks().map((task) => (task.key === key ? { ...task, ...changes } : task)));
}

function change(next: readonly UploadTask[]): void {
  tasks = next;
  for (const listener of listeners) listener();
}

function store(): void {
  const kept = uploadTasks().flatMap((task) => task.kept ?? []);
  try {
    localStorage.setItem(STORED, JSON.stringify(kept));
  } catch {
    // a full or forbidden storage only costs going on after a reload
  }
}

function readStored(): KeptUpload[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORED) ?? "[]");
    return Array.isArray(stored) ? stored.filter(isKept) : [];
  } catch {
    return [];
  }
}

function isKept(value: unknown): value is KeptUpload {
  if (typeof value !== "object" || value === null) return false;
  const texts = ["id", "filename", "fileName", "sha256"];
  return texts.every((name) => typeof Reflect.get(value, name) === "string") && "length" in value;
}
