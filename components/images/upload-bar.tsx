import type { UploadProgress } from "#lib/client/upload.ts";

const STAGES: Record<UploadProgress["stage"], string> = {
  digest: "Computing the digest…",
  sending: "Sending…",
  waiting: "The console does not answer. Trying again…",
  verifying: "Signing and verifying the stored bytes…",
};

/** How far an upload is, in words and as a bar. */
export function UploadBar({ progress: { stage, sent } }: { progress: UploadProgress }) {
  const percent = Math.floor(sent * 100);
  const measured = stage !== "verifying";
  return (
    <div>
      <div className="mb-1 flex text-sm text-ink-2">
        <span role="status" className="flex-1">
          {STAGES[stage]}
        </span>
        {measured ? <span className="num">{percent} %</span> : null}
      </div>
      <progress
        aria-label="Upload"
        max={100}
        {...(measured ? { value: percent } : {})}
        className="upload-progress block h-2 w-full"
      />
    </div>
  );
}
