import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bareEnvironment } from "#lib/config/environment.ts";

const DEVICE_TYPE = "test-board";

/** Debian's mender-client, in a folder of its own. */
export type MenderClient = {
  readonly folder: string;
  readonly deviceType: string;
  /** `mender bootstrap`: exactly one authentication request. */
  bootstrap(): Promise<{ status: number | null; output: string }>;
  /** The daemon, which polls every second. */
  start(): { output(): string; stop(): Promise<void> };
  drop(): void;
};

/**
 * The program reads fixed paths of the system (identity script, artifact name). It gets them in a mount namespace, so that
 * the machine stays as it is.
 */
const SCRIPT = `set -e
mount -t tmpfs tmpfs /var/lib
mkdir /var/lib/mender
mount -t tmpfs tmpfs /etc/mender
mount -t tmpfs tmpfs /usr/share/mender/identity
cp "$FOLDER/identity" /usr/share/mender/identity/mender-device-identity
cp "$FOLDER/artifact_info" /etc/mender/artifact_info
exec mender --no-syslog -c "$FOLDER/mender.conf" -b "$FOLDER/none" -d "$FOLDER/state" "$@"`;

/** @param credentials the folder of a new device: client.pem, pkey.pem, root.crt */
export function createMenderClient(of: { credentials: string; url: string; mac: string }): MenderClient {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-mender-"));
  const at = (name: string) => join(folder, name);
  cpSync(of.credentials, at("credentials"), { recursive: true });
  mkdirSync(at("state"));
  writeFileSync(at("identity"), `#!/bin/sh\necho "mac=${of.mac}"\n`);
  chmodSync(at("identity"), 0o755);
  writeFileSync(at("artifact_info"), "artifact_name=first\n");
  writeFileSync(at("state/device_type"), `device_type=${DEVICE_TYPE}\n`);
  writeFileSync(
    at("mender.conf"),
    JSON.stringify({
      ServerURL: of.url,
      ServerCertificate: at("credentials/root.crt"),
      HttpsClient: { Certificate: at("credentials/client.pem"), Key: at("credentials/pkey.pem") },
      UpdatePollIntervalSeconds: 1,
      InventoryPollIntervalSeconds: 1,
      RetryPollIntervalSeconds: 1,
      DBus: { Enabled: false },
    }),
  );
  const isRoot = process.getuid?.() === 0;
  const run = (word: string): { child: ChildProcess; output(): string } => {
    const namespace = isRoot ? ["--mount"] : ["--user", "--map-root-user", "--mount"];
    const child = spawn("unshare", [...namespace, "--kill-child", "--fork", "sh", "-c", SCRIPT, "sh", word], {
      env: bareEnvironment({ PATH: "/usr/sbin:/usr/bin:/sbin:/bin", FOLDER: folder }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk));
    return { child, output: () => said };
  };
  return {
    folder,
    deviceType: DEVICE_TYPE,
    async bootstrap() {
      const { child, output } = run("bootstrap");
      await once(child, "close");
      return { status: child.exitCode, output: output() };
    },
    start() {
      const { child, output } = run("daemon");
      const closed = once(child, "close");
      return {
        output,
        async stop() {
          child.kill("SIGKILL");
          await closed;
        },
      };
    },
    drop: () => rmSync(folder, { recursive: true, force: true }),
  };
}
