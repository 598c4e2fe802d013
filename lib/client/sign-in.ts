export type SignInResult = { ok: true } | { ok: false; message: string };

/** Signs in with e-mail and password through next-auth's own endpoints; no client library is needed for two requests. */
export async function signIn(email: string, password: string): Promise<SignInResult> {
  try {
    const response = await postAuth("/api/auth/callback/credentials", { email, password });
    if (response.ok) {
      const url = await replyUrl(response);
      const error = url?.searchParams.get("error") ?? null;
      return error === null ? { ok: true } : { ok: false, message: explain(error) };
    }
    const error = (await replyUrl(response))?.searchParams.get("error") ?? null;
    return { ok: false, message: explain(error ?? String(response.status)) };
  } catch {
    return { ok: false, message: "The console does not answer. Check the network and try again." };
  }
}

export async function signOut(): Promise<void> {
  await postAuth("/api/auth/signout", {});
}

async function postAuth(path: string, fields: Record<string, string>): Promise<Response> {
  const csrf: unknown = await (await fetch("/api/auth/csrf", { cache: "no-store" })).json();
  const csrfToken =
    typeof csrf === "object" && csrf !== null && "csrfToken" in csrf && typeof csrf.csrfToken === "string"
      ? csrf.csrfToken
      : "";
  return fetch(path, {
    method: "POST",
    cache: "no-store",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ ...fields, csrfToken, json: "true", callbackUrl: window.location.origin }),
  });
}

async function replyUrl(response: Response): Promise<URL | null> {
  const reply: unknown = await response.json().catch(() => null);
  if (typeof reply !== "object" || reply === null || !("url" in reply) || typeof reply.url !== "string") return null;
  return URL.parse(reply.url, window.location.origin);
}

function explain(error: string): string {
  const [code, seconds] = error.split(":");
  switch (code) {
    case "CredentialsSignin":
    case "auth.invalid_credentials":
    case "401":
      return "E-mail or password is wrong.";
    case "request.rate_limited":
    case "429":
      return `Too many attempts. ${retryText(Number(seconds))}`;
    default:
      return "Signing in did not work. The console's log has the cause.";
  }
}

function retryText(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds <= 0) return "Wait a few minutes, then try again.";
  return seconds < 90 ? `Try again in ${Math.ceil(seconds)} s.` : `Try again in ${Math.ceil(seconds / 60)} min.`;
}
