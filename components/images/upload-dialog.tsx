"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { useEffect, useId, useRef, useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { FormError, fieldError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import { bytes } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { type UploadProgress, uploadImage } from "#lib/client/upload.ts";

const STAGES: Record<UploadProgress["stage"], string> = {
  digest: "Computing the digest…",
  sending: "Sending…",
  verifying: "Signing and verifying the stored bytes…",
};
const FIELDS = ["name", "version", "hardwareIds", "file"];

/** One image: what it is called, what it is for, and how far its bytes have come. */
export function UploadDialog({ onClose }: { onClose: () => void }) {
  const router = useRouter();
  const queryClient = useQueryClient();
  const formId = useId();
  const [name, setName] = useState("");
  const [version, setVersion] = useState("");
  const [hardware, setHardware] = useState("");
  const [file, setFile] = useState<File | null>(null);
  const [progress, setProgress] = useState<UploadProgress | null>(null);
  const [error, setError] = useState<unknown>(null);
  const running = useRef<AbortController>(null);
  useEffect(() => () => running.current?.abort(), []);
  const hardwareIds = hardware
    .split(",")
    .map((id) => id.trim())
    .filter((id) => id !== "");
  const ready = name.trim() !== "" && version.trim() !== "" && hardwareIds.length > 0 && file !== null;
  const busy = progress !== null;

  const submit = async () => {
    if (!ready || busy) return;
    const controller = new AbortController();
    running.current = controller;
    setError(null);
    try {
      const image = await uploadImage(
        { name: name.trim(), version: version.trim(), hardwareIds, file },
        setProgress,
        controller.signal,
      );
      await queryClient.invalidateQueries({ queryKey: keys.images.all });
      toast.done(`${image.filename} is uploaded`);
      router.push(`/images/${encodeURIComponent(image.filename)}`);
    } catch (reason) {
      if (controller.signal.aborted) return;
      setError(reason);
      setProgress(null);
    }
  };
  return (
    <Dialog
      title="Upload an image"
      description="Its bytes are signed as they arrive. A name and version can never be given to other bytes again."
      onClose={onClose}
      sticky={busy}
      footer={
        <>
          <Button onClick={onClose}>{busy ? "Stop the upload" : "Close"}</Button>
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
          void submit();
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
        {progress === null ? null : <Progress progress={progress} />}
        <FormError what="Not uploaded" error={error} fields={FIELDS} />
      </form>
    </Dialog>
  );
}

function Progress({ progress }: { progress: UploadProgress }) {
  const percent = Math.floor(progress.sent * 100);
  return (
    <div>
      <div className="mb-1 flex text-sm text-ink-2">
        <span role="status" className="flex-1">
          {STAGES[progress.stage]}
        </span>
        {progress.stage === "sending" ? <span className="num">{percent} %</span> : null}
      </div>
      <progress
        aria-label="Upload"
        max={100}
        {...(progress.stage === "sending" ? { value: percent } : {})}
        className="upload-progress block h-2 w-full"
      />
    </div>
  );
}
