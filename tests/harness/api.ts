import { setTimeout as sleep } from "node:timers/promises";

export type Reply = { status: number; body: unknown; headers: Headers };

/** A script's view of the console API: bearer token, JSON in and out, no opinion on the status. */
export type Api = {
  get(path: string): Promise<Reply>;
  post(path: string, body: unknown): Promise<Reply>;
  patch(path: string, body: unknown): Promise<Reply>;
  delete(path: string): Promise<Reply>;
  upload(fields: Record<string, string>, file: Uint8Array<ArrayBuffer>): Promise<Reply>;
};

export function createApi(baseUrl: string, token: string): Api {
  const headers = { authorization: `Bearer ${token}` };
  async function call(path: string, init: RequestInit): Promise<Reply> {
    const response = await fetch(`${baseUrl}${path}`, { ...init, headers: { ...headers, ...init.headers } });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
  }
  const sendJson = (method: string, path: string, body: unknown) =>
    call(path, { method, body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  return {
    get: (path) => call(path, { method: "GET" }),
    post: (path, body) => sendJson("POST", path, body),
    patch: (path, body) => sendJson("PATCH", path, body),
    delete: (path) => call(path, { method: "DELETE" }),
    upload(fields, file) {
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) form.set(name, value);
      form.set("file", new Blob([file]), "image.bin");
      return call("/api/v1/images", { method: "POST", body: form });
    },
  };
}

/** Polls until `holds`; a call that fails because the other side is down counts as "not yet". */
export async function eventually(
  holds: () => Promise<boolean>,
  options: { withinSeconds: number; what: string | (() => string) },
): Promise<void> {
  const deadline = Date.now() + options.withinSeconds * 1_000;
  let last: unknown;
  for (;;) {
    try {
      if (await holds()) return;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      const what = typeof options.what === "string" ? options.what : options.what();
      throw new Error(`waited ${options.withinSeconds} s in vain for ${what}`, { cause: last });
    }
    await sleep(100);
  }
}

/** The member at a path like `data.0.uuid`; undefined when something on the way is missing. */
export function at(value: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((inner, key) => {
    if (typeof inner !== "object" || inner === null) return undefined;
    return Object.entries(inner).find(([name]) => name === key)?.[1];
  }, value);
}
