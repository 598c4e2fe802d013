import type { Metadata } from "next";
import { SignInPanel } from "#components/auth/sign-in-panel.tsx";

export const metadata: Metadata = { title: "Sign in" };

export default async function SignInPage({ searchParams }: { searchParams: Promise<{ from?: string | string[] }> }) {
  const { from } = await searchParams;
  return (
    <>
      <h1 className="mb-5">Sign in</h1>
      <SignInPanel from={typeof from === "string" ? from : "/"} />
    </>
  );
}
