"use client";

import { ShieldCheck, ShieldQuestionMark, ShieldX } from "lucide-react";
import dynamic from "next/dynamic";
import { useState } from "react";
import { LackNote } from "#components/shell/lack-note.tsx";
import { GuardedButton } from "#components/shell/me.tsx";
import { Card } from "#components/ui/card.tsx";
import { cx } from "#components/ui/cx.ts";
import { Digest } from "#components/ui/digest.tsx";
import { Explain } from "#components/ui/explain.tsx";
import { FormError } from "#components/ui/form-error.tsx";
import { BriefTime } from "#components/ui/time.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { useVerifyImage } from "#lib/client/mutations.ts";
import type { Image, VerificationCheck } from "#lib/contracts/console/images.ts";

const SignatureDialog = dynamic(() => import("./signature-dialog.tsx").then((module) => module.SignatureDialog));

const CHECKS: Record<VerificationCheck["check"], string> = {
  root: "Root of trust",
  timestamp: "Timestamp",
  snapshot: "Snapshot",
  targets: "Signature",
  length: "Length",
  digest: "Digest",
  commit: "OSTree commit",
  openpgp: "OpenPGP",
};
const RESULTS = {
  ok: { icon: ShieldCheck, ink: "text-ok", word: "checked" },
  failed: { icon: ShieldX, ink: "text-bad", word: "failed" },
  not_checked: { icon: ShieldQuestionMark, ink: "text-idle", word: "not checked" },
};
const SAID = {
  verified: "Every check passed",
  mismatch: "A check failed: no device is told to install this image",
  not_checked: "Not every check could be made",
};

/** The chain from the pinned root to the stored bytes, link by link: what, with which key, when, and what came of it. */
export function VerificationPanel({ image }: { image: Image }) {
  const { filename, verification } = image;
  const [signing, setSigning] = useState(false);
  const verify = useVerifyImage(filename);
  return (
    <Card title="Verification" aside={<Explain term="digest">what is checked?</Explain>}>
      <ul>
        {verification.checks.map((check, index) => (
          // Several signatures share a name; their order is theirs.
          // biome-ignore lint/suspicious/noArrayIndexKey: the list is replaced as a whole
          <CheckRow key={index} check={check} />
        ))}
      </ul>
      {image.format === "OSTREE" ? <LackNote backend="treehub" capability="commit_check" /> : null}
      {verification.checks.length === 0 ? <p className="text-ink-2">Nothing was checked yet.</p> : null}
      <div className="mt-3 flex flex-wrap gap-2">
        <GuardedButton
          permission="image.upload"
          busy={verify.isPending}
          onClick={() => afterwards(verify.mutateAsync(), ({ state }) => toast.done(SAID[state]))}
        >
          Verify now
        </GuardedButton>
        <GuardedButton permission="image.upload" look="quiet" onClick={() => setSigning(true)}>
          Add an OpenPGP signature…
        </GuardedButton>
      </div>
      <FormError what="Not verified" error={verify.error} />
      {signing ? <SignatureDialog filename={filename} onClose={() => setSigning(false)} /> : null}
    </Card>
  );
}

function CheckRow({ check: { check, result, text, keyIds, at } }: { check: VerificationCheck }) {
  const { icon: Icon, ink, word } = RESULTS[result];
  return (
    <li className="grid grid-cols-[20px_minmax(0,1fr)] gap-x-2 border-b border-line py-2 first:pt-0 last:border-0 last:pb-0 sm:grid-cols-[20px_112px_minmax(0,1fr)_auto]">
      <Icon aria-hidden className={`mt-0.5 size-4 ${ink}`} />
      <span className="font-strong">
        {CHECKS[check]}
        <span className="sr-only">: {word}</span>
      </span>
      <span className={cx("min-w-0 wrap-anywhere max-sm:col-start-2", result === "failed" ? "text-bad" : "text-ink-2")}>
        {text}
        {keyIds.length === 0 ? null : (
          <span className="flex flex-wrap items-center gap-x-2 text-sm text-ink-3">
            key
            {keyIds.map((id) => (
              <Digest key={id} value={id} label="key id" />
            ))}
          </span>
        )}
      </span>
      {at === null ? null : (
        <span className="num text-sm leading-5 text-ink-3 max-sm:hidden">
          <BriefTime at={at} />
        </span>
      )}
    </li>
  );
}
