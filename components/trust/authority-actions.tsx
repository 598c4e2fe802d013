"use client";

import dynamic from "next/dynamic";
import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import type { Authority } from "#lib/contracts/console/authorities.ts";

type Act = "close" | "reopen" | "issue-with" | "revoke" | "delete";

const AuthorityActDialog = dynamic(() =>
  import("./authority-act-dialog.tsx").then((module) => module.AuthorityActDialog),
);
const DeleteAuthorityDialog = dynamic(() =>
  import("./delete-authority-dialog.tsx").then((module) => module.DeleteAuthorityDialog),
);
const RevokeAuthorityDialog = dynamic(() =>
  import("./revoke-authority-dialog.tsx").then((module) => module.RevokeAuthorityDialog),
);

/** Two distinct dangers, closing and revoking, each behind a dialog that says what it touches. */
export function AuthorityActions({ authority }: { authority: Authority }) {
  const [act, setAct] = useState<Act | null>(null);
  const { state, hasKey, issues } = authority;
  const close = () => setAct(null);
  return (
    <>
      {state === "open" && hasKey && !issues ? (
        <GuardedButton permission="authority.manage" onClick={() => setAct("issue-with")}>
          Issue with it…
        </GuardedButton>
      ) : null}
      {state === "open" ? (
        <GuardedButton permission="authority.manage" onClick={() => setAct("close")}>
          Close…
        </GuardedButton>
      ) : null}
      {state === "closed" ? (
        <GuardedButton permission="authority.manage" onClick={() => setAct("reopen")}>
          Reopen…
        </GuardedButton>
      ) : null}
      {state === "unproved" ? (
        <GuardedButton permission="authority.manage" onClick={() => setAct("delete")}>
          Delete…
        </GuardedButton>
      ) : null}
      {state === "revoked" ? null : (
        <GuardedButton permission="authority.manage" look="danger" onClick={() => setAct("revoke")}>
          Revoke…
        </GuardedButton>
      )}
      {act === "revoke" ? <RevokeAuthorityDialog authority={authority} onClose={close} /> : null}
      {act === "delete" ? <DeleteAuthorityDialog authority={authority} onClose={close} /> : null}
      {act === "close" || act === "reopen" || act === "issue-with" ? (
        <AuthorityActDialog authority={authority} act={act} onClose={close} />
      ) : null}
    </>
  );
}
