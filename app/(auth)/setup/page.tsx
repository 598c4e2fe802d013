import type { Metadata } from "next";
import { SetupChecks } from "#components/auth/setup-checks.tsx";
import { SetupForm } from "#components/auth/setup-form.tsx";
import { readSetupChecks } from "#lib/data/setup-checks.ts";

export const metadata: Metadata = { title: "Set up" };

export default async function SetupPage() {
  const checks = await readSetupChecks();
  return (
    <>
      <h1>Set up this Gatehouse</h1>
      <p className="mt-1 mb-5 text-ink-2">
        Create the first admin. Admins decide which devices are let in and who else may sign in.
      </p>
      <SetupForm />
      <SetupChecks checks={checks} />
    </>
  );
}
