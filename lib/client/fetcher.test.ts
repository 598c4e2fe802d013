import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { call, withQuery } from "./fetcher.ts";
import { ApiProblem } from "./problem.ts";
import { answerSignIn, isSignInAsked } from "./sign-in-again.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  closers.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server's address has a port
}

const failure = async (path: string) =>
  call("GET", path).then(
    () => null,
    (error: unknown) => error,
  );

test("encodes what is searched for, joins lists and leaves absent values out", () => {
  expect(withQuery("/x", { q: "a&b=c d", status: ["failed", "unknown"], cursor: "", image: undefined, list: [] })).toBe(
    "/x?q=a%26b%3Dc+d&status=failed%2Cunknown",
  );
});

test("a problem arrives with its code, its fields and its request", async () => {
  const base = await serve((_req, res) => {
    res.writeHead(400, { "content-type": "application/problem+json" });
    res.end(
      JSON.stringify({
        code: "request.invalid",
        title: "The request is not valid",
        detail: "name is empty",
        requestId: "r-1",
        errors: [{ path: ["name"], message: "must not be empty" }],
      }),
    );
  });
  const problem = await failure(base);
  expect(problem).toBeInstanceOf(ApiProblem);
  expect(problem).toMatchObject({
    status: 400,
    code: "request.invalid",
    requestId: "r-1",
    fieldErrors: [{ path: "name", message: "must not be empty" }],
  });
});

test("an answer that is no problem document still becomes one", async () => {
  const base = await serve((_req, res) => res.writeHead(502).end("<html>bad gateway</html>"));
  expect(await failure(base)).toMatchObject({ status: 502, code: "internal.error" });
});

test("no answer at all is told apart from a refusal", async () => {
  const base = await serve((req) => req.socket.destroy());
  expect(await failure(base)).toMatchObject({ status: 0, code: "console.unreachable" });
});

test("401 asks to sign in once for all calls and then repeats each", async () => {
  let signedIn = false;
  const base = await serve((_req, res) => {
    res.writeHead(signedIn ? 200 : 401, { "content-type": "application/json" }).end('{"ok":true}');
  });
  const calls = Promise.all([call("GET", `${base}/a`), call("POST", `${base}/b`, { body: { typed: "stays" } })]);
  await expect.poll(isSignInAsked).toBe(true);
  signedIn = true;
  answerSignIn(true);
  expect(await calls).toEqual([{ ok: true }, { ok: true }]);
  expect(isSignInAsked()).toBe(false);
});

test("403 is an error like others and asks nobody to sign in", async () => {
  const base = await serve((_req, res) => {
    res.writeHead(403, { "content-type": "application/problem+json" }).end('{"code":"auth.forbidden"}');
  });
  expect(await failure(base)).toMatchObject({ status: 403, code: "auth.forbidden" });
  expect(isSignInAsked()).toBe(false);
});
