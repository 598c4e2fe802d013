import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { AppError } from "#lib/errors/app-error.ts";
import { createLog } from "#lib/log/log.ts";
import { cookieNames, readCookie } from "./cookies.ts";
import { nextAuthOptions, type SessionUseCases } from "./next-auth-options.ts";
import { hashPassword, verifyPassword } from "./passwords.ts";
import { hashSecretText, looksLikeToken, newSecretText, TOKEN_PREFIX } from "./secret-text.ts";
import { readSessionCookie, sealSessionToken } from "./session-cookie.ts";

const SECRET = "s".repeat(40);
const cookies = cookieNames("0123abcd", "http://localhost:3000");

describe("cookies", () => {
  it("carry the install's id, and are for HTTPS alone where the public address is", () => {
    expect(cookies).toMatchObject({ session: "gatehouse-session-0123abcd", secure: false });
    const secure = cookieNames("0123abcd", "https://fleet.example");
    expect(secure.session).toBe("__Secure-gatehouse-session-0123abcd");
    expect(secure.csrf).toMatch(/^__Host-/);
  });

  it("are read by their exact name, and not at all when given twice", () => {
    expect(readCookie("a=1; b=2", "b")).toBe("2");
    expect(readCookie("xb=1; b=", "b")).toBeNull();
    expect(readCookie("b=1; b=2", "b")).toBeNull();
    expect(readCookie(null, "b")).toBeNull();
  });
});

describe("the session cookie", () => {
  const ref = { sessionId: randomUUID(), userId: randomUUID() };

  it("opens with the install's secret and with no other", async () => {
    const header = `${cookies.session}=${await sealSessionToken(ref, SECRET, 60)}`;
    expect(await readSessionCookie(header, cookies, SECRET)).toEqual(ref);
    expect(await readSessionCookie(header, cookies, "t".repeat(40))).toBeNull();
  });

  it("is nobody's when it is over, changed, no token at all or of other content", async () => {
    const over = await sealSessionToken(ref, SECRET, -60);
    const good = await sealSessionToken(ref, SECRET, 60);
    const other = await sealSessionToken({ sessionId: "1", userId: "2" }, SECRET, 60);
    const changed = `${good.slice(0, -2)}${good.endsWith("A") ? "BB" : "AA"}`;
    for (const value of [over, changed, other, "rubbish", "a".repeat(5_000)]) {
      expect(await readSessionCookie(`${cookies.session}=${value}`, cookies, SECRET)).toBeNull();
    }
  });
});

describe("passwords", () => {
  it("are kept as argon2id and recognised", async () => {
    const hash = await hashPassword("correct horse");
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(await verifyPassword("correct horse", hash)).toBe(true);
    expect(await verifyPassword("correct horsf", hash)).toBe(false);
  });

  it("cost the same where there is no account, and match nothing there", async () => {
    const hash = await hashPassword("x");
    const time = async (against: string | null) => {
      const startedAt = performance.now();
      expect(await verifyPassword("y", against)).toBe(false);
      return performance.now() - startedAt;
    };
    await time(null); // the first makes the hash that is compared with
    // The quickest of several, in turns: a busy machine slows single runs down, never up.
    let [known, unknown] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (let n = 0; n < 8; n += 1) {
      known = Math.min(known, await time(hash));
      unknown = Math.min(unknown, await time(null));
    }
    expect(unknown / known).toBeGreaterThan(0.4);
    expect(unknown / known).toBeLessThan(2.5);
  });

  it("are checked a few at a time, all of them", async () => {
    const hash = await hashPassword("x");
    const results = await Promise.all(
      Array.from({ length: 20 }, (_none, n) => verifyPassword(n % 2 ? "x" : "y", hash)),
    );
    expect(results.filter(Boolean)).toHaveLength(10);
  });
});

describe("secret texts", () => {
  it("are never the same and look like what they are", () => {
    const [one, two] = [newSecretText(TOKEN_PREFIX), newSecretText(TOKEN_PREFIX)];
    expect(one.text).not.toBe(two.text);
    expect(looksLikeToken(one.text)).toBe(true);
    expect(hashSecretText(one.text)).toEqual(one.hash);
    expect(looksLikeToken(`${one.text}x`)).toBe(false);
  });
});

describe("next-auth", () => {
  const ref = { sessionId: randomUUID(), userId: randomUUID() };
  const options = (useCases: Partial<SessionUseCases> = {}) =>
    nextAuthOptions({
      cookies,
      secret: SECRET,
      maxAgeSeconds: 60,
      log: createLog("test", "silent"),
      useCases: { signIn: async () => ref, isLive: async () => true, signOut: async () => undefined, ...useCases },
    });
  const redirect = (url: string) =>
    options().callbacks?.redirect?.({ url, baseUrl: "http://localhost:3000" }) ?? Promise.reject(new Error("none"));
  type JwtInput = Parameters<NonNullable<NonNullable<ReturnType<typeof options>["callbacks"]>["jwt"]>>[0];
  const jwt = (input: Partial<JwtInput>, useCases: Partial<SessionUseCases> = {}) =>
    options(useCases).callbacks?.jwt?.(input as JwtInput); // next-auth gives more than our callback reads

  it("puts the two ids into the cookie and nothing else", async () => {
    const user = { id: ref.userId, sid: ref.sessionId, email: "a@example.com", name: "A" };
    expect(await jwt({ token: { name: "A", email: "a" }, user })).toEqual({ sub: ref.userId, sid: ref.sessionId });
  });

  it("ends a cookie whose session is over", async () => {
    const token = { sub: ref.userId, sid: ref.sessionId };
    expect(await jwt({ token })).toEqual(token);
    await expect(jwt({ token }, { isLive: async () => false })).rejects.toBeInstanceOf(AppError);
    await expect(jwt({ token: { sub: "1" } })).rejects.toBeInstanceOf(AppError);
  });

  it("tells nobody who somebody is: the session it shows has an end and no more", async () => {
    const session = { user: { name: "A", email: "a" }, expires: "2030-01-01T00:00:00.000Z" };
    type Input = Parameters<NonNullable<NonNullable<ReturnType<typeof options>["callbacks"]>["session"]>>[0];
    const shown = await options().callbacks?.session?.({ session, token: {} } as unknown as Input); // as above
    expect(shown).toEqual({ expires: session.expires });
  });

  it.each([
    "https://evil.example/",
    "//evil.example",
    "javascript:alert(1)",
    "http://localhost:3000.evil.example/",
    "::",
  ])("never leads to %s", async (url) => {
    expect(new URL(await redirect(url)).origin).toBe("http://localhost:3000");
  });

  it("leads back to our own pages", async () => {
    expect(await redirect("/devices?q=a")).toBe("http://localhost:3000/devices?q=a");
  });

  it("asks for its own pages instead of the library's", () => {
    expect(options().pages).toMatchObject({ signIn: "/sign-in", signOut: "/sign-in", error: "/sign-in" });
  });
});
