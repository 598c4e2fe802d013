"use client";

import dynamic from "next/dynamic";
import { useSyncExternalStore } from "react";
import { isSignInAsked, onSignInAsked } from "#lib/client/sign-in-again.ts";

const SignInDialog = dynamic(() => import("./sign-in-dialog.tsx").then((module) => module.SignInDialog));

export function SignInAgain() {
  const asked = useSyncExternalStore(onSignInAsked, isSignInAsked, () => false);
  return asked ? <SignInDialog /> : null;
}
