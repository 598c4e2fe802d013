import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Debian's gpg with a key ring of its own: real keys, real signatures. */
export type Gnupg = {
  /** Makes a key that signs. @returns its fingerprint, lower-case */
  makeKey(name: string): string;
  publicKey(name: string): string;
  privateKey(name: string): string;
  /** Runs gpg with these arguments over a file with this content. @returns what it wrote */
  sign(name: string, content: Uint8Array | string, ...how: readonly string[]): Buffer;
  close(): void;
};

export function startGnupg(): Gnupg {
  const home = mkdtempSync(join(tmpdir(), "gpg-"));
  const run = (...args: readonly string[]) =>
    execFileSync("gpg", ["--homedir", home, "--batch", "--quiet", "--yes", "--passphrase", "", ...args], {
      stdio: ["ignore", "pipe", "ignore"],
      maxBuffer: 67_108_864,
    });
  return {
    makeKey(name) {
      run("--pinentry-mode", "loopback", "--quick-generate-key", name, "ed25519", "sign", "never");
      const listed = run("--with-colons", "--list-keys", name).toString("utf8");
      return (/^fpr:+([0-9A-F]{40}):/m.exec(listed)?.[1] ?? "").toLowerCase();
    },
    publicKey: (name) => run("--armor", "--export", name).toString("utf8"),
    privateKey: (name) => run("--pinentry-mode", "loopback", "--armor", "--export-secret-keys", name).toString("utf8"),
    sign(name, content, ...how) {
      const [input, output] = [join(home, "in"), join(home, "out")];
      writeFileSync(input, content);
      run("--pinentry-mode", "loopback", "--local-user", name, "--output", output, ...how, input);
      return readFileSync(output);
    },
    close() {
      execFileSync("gpgconf", ["--homedir", home, "--kill", "all"], { stdio: "ignore" });
      rmSync(home, { recursive: true, force: true });
    },
  };
}
