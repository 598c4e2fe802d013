import { useSyncExternalStore } from "react";
import { noUploadTasks, subscribeToUploads, type UploadTask, uploadTasks } from "#lib/client/uploads.ts";

/** All uploads that this browser knows of; none while the server draws the page. */
export function useUploadTasks(): readonly UploadTask[] {
  return useSyncExternalStore(subscribeToUploads, uploadTasks, noUploadTasks);
}
