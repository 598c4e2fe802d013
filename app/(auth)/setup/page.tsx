import type { Metadata } from "next";
import { SetupForm } from "#components/auth/setup-form.tsx";

export const metadata: Metadata = { title: "Set up" };

export default function SetupPage() {
  return (
    <>
      <h1>Set up this Gatehouse</h1>
      <p className="mt-1 mb-5 text-ink-2">
        Create the first admin. Admins decide which devices are let in and who else may sign in.
      </p>
      <SetupForm />
    </>
  );
}
