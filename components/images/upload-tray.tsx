"use client";

import { useQueryClient } from "@tanstack/react-query";
import { X } from "lucide-react";
import Link from "next/link";
import { type ReactNode, useEffect } from "react";
import { IconButton } from "#components/ui/button.tsx";
import { keys } from "#lib/client/keys.ts";
import { continueUpload, forgetUpload, stopUpload, type UploadTask } from "#lib/client/uploads.ts";
import { UploadBar } from "./upload-bar.tsx";
import { useUploadTasks } from "./use-upload-tasks.ts";

/** Uploads that no dialog shows: those that go on in the background, and those that a reload has interrupted. */
export function UploadTray() {
  const tasks = useUploadTasks().filter(({ attended }) => !attended);
  const ended = tasks.filter(({ state }) => state.kind === "done").length;
  const queryClient = useQueryClient();
  useEffect(() => {
    if (ended > 0) void queryClient.invalidateQueries({ queryKey: keys.images.all });
  }, [ended, queryClient]);
  if (tasks.length === 0) return null;
  return (
    <section
      aria-label="Uploads"
      className="fixed right-4 bottom-4 z-30 w-[340px] max-w-[calc(100vw-32px)] rounded-xl border border-line-strong bg-raised shadow-float"
    >
      <ul className="max-h-[40dvh] divide-y divide-line overflow-y-auto">
        {tasks.map((task) => (
          <TrayRow key={task.key} task={task} />
        ))}
      </ul>
    </section>
  );
}

function TrayRow({ task }: { task: UploadTask }) {
  const { filename, state, key } = task;
  const over = state.kind === "done";
  return (
    <li className="grid gap-1.5 px-3.5 py-2.5">
      <div className="flex items-start gap-2">
        <span className="mono min-w-0 flex-1 pt-0.5 wrap-anywhere">{filename}</span>
        <IconButton
          size="sm"
          icon={<X aria-hidden />}
          label={over ? `Take ${filename} off the list` : `Stop the upload of ${filename}`}
          onClick={() => (over ? forgetUpload(key) : stopUpload(task))}
        />
      </div>
      {rowBody(task)}
    </li>
  );
}

function rowBody(task: UploadTask): ReactNode {
  const { state, filename } = task;
  switch (state.kind) {
    case "running":
      return <UploadBar progress={state} />;
    case "done":
      return (
        <p className="text-sm text-ink-2">
          Uploaded.{" "}
          <Link className="link" href={`/images/${encodeURIComponent(filename)}`}>
            Show the image
          </Link>
        </p>
      );
    case "paused":
      return <PickAgain task={task}>Interrupted. What was sent is kept.</PickAgain>;
    case "failed":
      return (
        <PickAgain task={task}>
          <span className="text-bad">{state.error instanceof Error ? state.error.message : "It failed."}</span>
        </PickAgain>
      );
  }
}

/** A page can't open a file again by itself: the person shows it once more. */
function PickAgain({ task, children }: { task: UploadTask; children: ReactNode }) {
  return (
    <div className="grid gap-1.5 text-sm text-ink-2">
      <p role="status">{children}</p>
      {task.kept === null ? null : (
        <label className="grid gap-1">
          <span>
            Pick <span className="mono">{task.fileName}</span> again to go on:
          </span>
          <input
            type="file"
            className="w-full text-sm"
            onChange={(event) => {
              const file = event.target.files?.[0];
              if (file !== undefined) continueUpload(task, file);
            }}
          />
        </label>
      )}
    </div>
  );
}
