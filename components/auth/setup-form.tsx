"use client";

import { useMutation } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { useState, useSyncExternalStore } from "react";
import { Button } from "#components/ui/button.tsx";
import { Callout } from "#components/ui/callout.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { call } from "#lib/client/fetcher.ts";
import { ApiProblem } from "#lib/client/problem.ts";
import { signIn } from "#lib/client/sign-in.ts";

type FirstAdmin = { token: string; name: string; email: string; password: string };

/** The link's secret stands in the fragment: browsers do not send that part, so no log and no proxy ever has it. */
export function SetupForm() {
  const token = useSyncExternalStore(onHashChange, readToken, () => null);
  const [email, setEmail] = useState("");
  const create = useMutation({
    mutationFn: async (admin: FirstAdmin) => {
      await call<object>("POST", "/api/v1/setup", { body: admin, withoutSession: true });
      const result = await signIn(admin.email, admin.password);
      window.location.replace(result.ok ? "/" : "/sign-in");
    },
  });
  if (token === "") return <NoLink />;
  const problem = create.error instanceof ApiProblem ? create.error : null;
  const errorOf = (path: string) => problem?.fieldErrors.find((error) => error.path === path)?.message;
  const submit = (form: FormData) => {
    const text = (name: string) => String(form.get(name) ?? "");
    create.mutate({ token: token ?? "", name: text("name"), email: text("email").trim(), password: text("password") });
  };
  return (
    <form
      method="post"
      className="grid gap-3.5"
      onSubmit={(event) => {
        event.preventDefault();
        submit(new FormData(event.currentTarget));
      }}
    >
      <Field label="Your name" error={errorOf("name")}>
        <Input name="name" autoComplete="name" required maxLength={100} />
      </Field>
      <Field label="E-mail" error={errorOf("email")} hint="You sign in with it. Nothing is sent to it.">
        <Input
          name="email"
          type="email"
          autoComplete="username"
          required
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
      </Field>
      <Field
        label="Password"
        error={errorOf("password")}
        hint="At least 12 characters. Length is what makes it hard to guess."
      >
        <Input name="password" type="password" autoComplete="new-password" required minLength={12} maxLength={200} />
      </Field>
      {create.error !== null && (problem === null || problem.fieldErrors.length === 0) ? (
        <ErrorPanel what="Not set up" error={create.error} />
      ) : null}
      <Button type="submit" look="primary" busy={create.isPending || create.isSuccess} className="h-9">
        Create the admin and sign in
      </Button>
    </form>
  );
}

function NoLink() {
  return (
    <Callout tone="warn" icon={KeyRound} title="This page needs its one-time link">
      Gatehouse prints it when it starts and has no user yet. Open the whole link, with what follows the # sign.
    </Callout>
  );
}

function readToken(): string {
  const fragment = window.location.hash.slice(1);
  return fragment.startsWith("token=") ? fragment.slice("token=".length) : fragment;
}

function onHashChange(listener: () => void) {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
}
