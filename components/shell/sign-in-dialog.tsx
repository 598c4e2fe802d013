"use client";

import { useRouter } from "next/navigation";
import { useState } from "react";
import { SignInForm } from "#components/auth/sign-in-form.tsx";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { answerSignIn } from "#lib/client/sign-in-again.ts";
import { useMe } from "./me.tsx";

/** The session ended while the page was open: sign in here, and what was typed and asked goes on. */
export function SignInDialog() {
  const me = useMe();
  const router = useRouter();
  const [email] = useState(me.email ?? "");
  const leave = () => {
    answerSignIn(false);
    window.location.assign("/sign-in");
  };
  return (
    <Dialog
      title="Your session has ended"
      description="Sign in again to go on. Nothing that you typed is lost."
      width="sm"
      sticky
      closable={false}
      onClose={() => {}}
    >
      <SignInForm
        email={email}
        onSignedIn={() => {
          answerSignIn(true);
          router.refresh();
        }}
      />
      <Button look="quiet" size="sm" className="mt-3" onClick={leave}>
        Leave this page
      </Button>
    </Dialog>
  );
}
