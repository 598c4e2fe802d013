import { digestOf } from "./digest.ts";

/** What the worker says: how far it is, then the digest, or why there is none. */
export type DigestMessage = { read: number } | { sha256: string } | { failure: string };

/* A worker of its own, so that the page stays quick while gigabytes are read. It gets one file and answers. */
const say = (message: DigestMessage) => globalThis.postMessage(message);

globalThis.addEventListener("message", (event: MessageEvent<Blob>) => {
  digestOf(event.data, (read) => say({ read })).then(
    (sha256) => say({ sha256 }),
    (error: unknown) => say({ failure: error instanceof Error ? error.message : String(error) }),
  );
});
