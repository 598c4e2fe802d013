"use client";

import { SignInForm } from "./sign-in-form.tsx";

/** Signs in, then goes where the person wanted to go. */
export function SignInPanel({ from }: { from: string }) {
  // A whole new page rather than a soft navigation: nothing that the last person's session left in memory survives.
  return <SignInForm onSignedIn={() => window.location.replace(ownPath(from))} />;
}

/** Only paths of this console: a crafted link must not send somebody who just signed in to another site. */
function ownPath(from: string): string {
  const url = URL.parse(from, window.location.origin);
  if (url === null || url.origin !== window.location.origin || !from.startsWith("/")) return "/";
  return url.pathname + url.search;
}
