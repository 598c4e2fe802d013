"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { useEffect, useId, useState } from "react";
import { LackNote } from "#components/shell/lack-note.tsx";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { FormError, fieldError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import { bytes } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { attendUpload, forgetUpload, startUpload, stopUpload } from "#lib/client/uploads.ts";
import { UploadBar } from "./upload-bar.tsx";
import { useUploadTasks } from "./use-upload-tasks.ts";

const FIELDS = ["name", "version", "hardwareIds", "file"];

/**
 * One image: what it is called, what it is for, and how far its bytes have come.
 *
 * @param props.onBegun the address must not bring the dialog back after a reload: the tray goes on then
 */
export function UploadDialog({ onBegun, onClose }: { onBegun: () => void; onClose: () => void }) {
  const router = useRouter();
  const queryClient = useQueryClient();
  const formId = useId();
  const [name, setName] = useState("");
  const [version, setVersion] = useState("");
  const [hardware, setHardware] = useState("");
  const [file, setFile] = useState<File | null>(null);
  const [key, setKey] = useState("");
  const task = useUploadTasks().find((one) => one.key === key);
  const error = task?.state.kind === "failed" ? task.state.error : null;
  const progress = task?.state.kind === "running" ? task.state : null;
  const done = task?.state.kind === "done" ? task.state.image : null;
  useEffect(() => {
    if (done === null) return;
    forgetUpload(key);
    void queryClient.invalidateQueries({ queryKey: keys.images.all });
    toast.done(`${done.filename} is uploaded`);
    router.push(`/images/${encodeURIComponent(done.filename)}`);
  }, [done, key, queryClient, router]);
  // Closing the dialog leaves the upload to the tray.
  useEffect(() => () => attendUpload(key, false), [key]);
  const hardwareIds = hardware
    .split(",")
    .map((id) => id.trim())
    .filter((id) => id !== "");
  const ready = name.trim() !== "" && version.trim() !== "" && hardwareIds.length > 0 && file !== null;
  const busy = progress !== null;

  const submit = () => {
    if (!ready || busy) return;
    if (task !== undefined) stopUpload(task);
    setKey(startUpload({ name: name.trim(), version: version.trim(), hardwareIds }, file));
    onBegun();
  };
  return (
    <Dialog
      title="Upload an image"
      description="Its bytes are signed as they arrive. A name and version can never be given to other bytes again."
      onClose={onClose}
      sticky={busy}
      footer={
        <>
          {busy && task !== undefined ? (
            <Button look="quiet" onClick={() => stopUpload(task)}>
              Stop the upload
            </Button>
          ) : null}
          <Button onClick={onClose}>{busy ? "Go on in the background" : "Close"}</Button>
          <Button type="submit" form={formId} look="primary" busy={busy} disabled={!ready}>
            Upload{file === null ? "" : ` ${bytes(file.size)}`}
          </Button>
        </>
      }
    >
      <form
        id={formId}
        className="grid gap-3.5"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <fieldset disabled={busy} className="grid gap-3.5">
          <div className="grid gap-3.5 sm:grid-cols-2">
            <Field label="Name" hint="What it is: ivi, tcu-rootfs" error={fieldError(error, "name")}>
              <Input
                required
                maxLength={200}
                autoComplete="off"
                spellCheck={false}
                value={name}
                onChange={(event) => setName(event.target.value)}
              />
            </Field>
            <Field label="Version" hint="2.1.0" error={fieldError(error, "version")}>
              <Input
                required
                maxLength={200}
                autoComplete="off"
                spellCheck={false}
                value={version}
                onChange={(event) => setVersion(event.target.value)}
              />
            </Field>
          </div>
          <Field
            label="Hardware ids"
            hint="The kinds of computer it runs on, separated by commas: rpi4, imx8"
            error={fieldError(error, "hardwareIds")}
          >
            <Input
              required
              autoComplete="off"
              spellCheck={false}
              value={hardware}
              onChange={(event) => setHardware(event.target.value)}
            />
          </Field>
          <Field label="File" error={fieldError(error, "file")}>
            <Input
              required
              type="file"
              className="h-auto py-1.5"
              onChange={(event) => setFile(event.target.files?.[0] ?? null)}
            />
          </Field>
        </fieldset>
        <LackNote backend="reposerver" capability="uploads_in_parts" />
        {progress === null ? null : <UploadBar progress={progress} />}
        <FormError what="Not uploaded" error={error} fields={FIELDS} />
      </form>
    </Dialog>
  );
}
