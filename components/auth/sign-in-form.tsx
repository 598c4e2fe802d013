"use client";

import { useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { signIn } from "#lib/client/sign-in.ts";

/** E-mail and password. The password never enters React's state; the form holds it until it is sent. */
export function SignInForm({ email, onSignedIn }: { email?: string; onSignedIn: () => void }) {
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<string | null>(null);
  const submit = async (form: FormData) => {
    setBusy(true);
    setRefused(null);
    const result = await signIn(String(form.get("email") ?? "").trim(), String(form.get("password") ?? ""));
    if (result.ok) return onSignedIn();
    setBusy(false);
    setRefused(result.message);
  };
  return (
    <form
      method="post"
      className="grid gap-3.5"
      onSubmit={(event) => {
        event.preventDefault();
        void submit(new FormData(event.currentTarget));
      }}
    >
      <Field label="E-mail">
        <Input name="email" type="email" autoComplete="username" required defaultValue={email} />
      </Field>
      <Field label="Password">
        <Input
          name="password"
          type="password"
          autoComplete="current-password"
          required
          autoFocus={email !== undefined && email !== ""}
        />
      </Field>
      <p role="alert" className="text-bad empty:hidden">
        {refused}
      </p>
      <Button type="submit" look="primary" busy={busy} className="h-9">
        Sign in
      </Button>
    </form>
  );
}
