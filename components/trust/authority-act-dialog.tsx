"use client";

import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { useActOnAuthority } from "#lib/client/authority-mutations.ts";
import { plural } from "#lib/client/format.ts";
import type { Authority } from "#lib/contracts/console/authorities.ts";

type Act = "close" | "reopen" | "issue-with";

/** What can be undone: closing, reopening, and which one issues. */
export function AuthorityActDialog({
  authority,
  act,
  onClose,
}: {
  authority: Authority;
  act: Act;
  onClose: () => void;
}) {
  const change = useActOnAuthority(authority.id);
  const { title, confirm, done, says } = WORDS[act](authority);
  return (
    <ConfirmDialog
      title={title}
      confirm={confirm}
      danger={act === "close"}
      busy={change.isPending}
      error={change.error}
      onConfirm={() =>
        afterwards(change.mutateAsync(act), () => {
          toast.done(done);
          onClose();
        })
      }
      onClose={onClose}
    >
      {says.map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
    </ConfirmDialog>
  );
}

type Words = { title: string; confirm: string; done: string; says: readonly string[] };

const WORDS: Readonly<Record<Act, (authority: Authority) => Words>> = {
  close: ({ name, certificates: { allowed, waiting }, issues }) => ({
    title: `Close ${name}?`,
    confirm: "Close the authority",
    done: `${name} takes no newcomers`,
    says: [
      `Certificates of it that are not known yet are refused within a second. Its ${plural(allowed, "allowed certificate")} keep coming in.`,
      ...(waiting === 0 ? [] : [`${plural(waiting, "request")} that wait can still be approved or rejected.`]),
      ...(issues ? [STOPS_ISSUING] : []),
      "Reopening undoes it.",
    ],
  }),
  reopen: ({ name, hasKey }) => ({
    title: `Reopen ${name}?`,
    confirm: "Reopen the authority",
    done: `${name} takes newcomers`,
    says: [
      "Newcomers are taken by its policy and rules again.",
      ...(hasKey ? ["New devices' certificates come from it from then on. You can choose another open one."] : []),
    ],
  }),
  "issue-with": ({ name }) => ({
    title: `Issue with ${name}?`,
    confirm: "Issue with it",
    done: `New certificates come from ${name}`,
    says: [
      "New devices' certificates come from this authority from then on.",
      "What other authorities signed stays as it is, and they stay open.",
    ],
  }),
};

const STOPS_ISSUING =
  "New devices' certificates come from it now. The open one that was chosen before it takes over; without one, nothing can be issued.";
