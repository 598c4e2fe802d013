/**
 * One question for all calls that found the session gone: the first asks, the dialog answers, every call goes on. What the
 * person typed stays where it is, because the page never leaves.
 */
type Listener = () => void;

let asked: { promise: Promise<boolean>; answer: (signedIn: boolean) => void } | null = null;
let signIns = 0;
const listeners = new Set<Listener>();

/** Resolves true when somebody signed in again, false when they chose to leave. */
export function waitForSignIn(): Promise<boolean> {
  if (asked === null) {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    asked = { promise, answer: resolve };
    tell();
  }
  return asked.promise;
}

export function answerSignIn(signedIn: boolean): void {
  const question = asked;
  asked = null;
  if (signedIn) signIns += 1;
  tell();
  question?.answer(signedIn);
}

/** How often somebody signed in again on this page: a call sent before the last time is simply repeated. */
export function countSignIns(): number {
  return signIns;
}

export function isSignInAsked(): boolean {
  return asked !== null;
}

export function onSignInAsked(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell() {
  for (const listener of listeners) listener();
}
