import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "#tests/harness/eventually.ts";
import { freePort } from "#tests/harness/free-port.ts";

export type TestNginx = { readonly port: number; readonly pid: number; log(): string; close(): Promise<void> };

type Change = readonly [string, string];

/** The real nginx with deploy/nginx/tools.conf as it is, but for addresses and the paths of its certificate. */
export async function startNginx(options: {
  chainPem: string;
  privateKeyPem: string;
  decisionPort: number;
  toolsPort: number;
  servicesPort: number;
  decisionSecret: string;
  servicesToken: string;
}): Promise<TestNginx> {
  const port = await freePort();
  const changes: Change[] = [
    ["127.0.0.1:9010", `127.0.0.1:${options.decisionPort}`],
    ["127.0.0.1:8444", `127.0.0.1:${options.toolsPort}`],
    ["127.0.0.1:9000", `127.0.0.1:${options.servicesPort}`],
    ["listen 443 ssl", `listen 127.0.0.1:${port} ssl`],
  ];
  return runNginx({
    port,
    files: { "tools.crt": options.chainPem, "tools.key": options.privateKeyPem, "secrets.conf": secretsConf(options) },
    configurations: [{ file: "deploy/nginx/tools.conf", changes }],
    certificates: "/etc/nginx/tools.",
  });
}

/** The same with deploy/nginx/devices.conf, and the sample app's configuration on a port of its own. */
export async function startDevicesNginx(options: {
  port: number;
  appPort: number;
  chainPem: string;
  privateKeyPem: string;
  /** As nginx names it: `127.0.0.1:1234` or `unix:/path`. */
  decision: string;
  servicesPort: number;
  protectedPort: number;
  decisionSecret: string;
  servicesToken: string;
  /** What somebody got wrong. */
  mistakes?: readonly Change[];
  workers?: "auto";
}): Promise<TestNginx> {
  const { port, mistakes = [] } = options;
  const devices: Change[] = [
    ["server 127.0.0.1:9010", `server ${options.decision}`],
    ["127.0.0.1:9000", `127.0.0.1:${options.servicesPort}`],
    ["listen 443 ssl", `listen 127.0.0.1:${port} ssl`],
    ...mistakes,
  ];
  const app: Change[] = [
    ["127.0.0.1:8080", `127.0.0.1:${options.protectedPort}`],
    ["listen 443 ssl", `listen 127.0.0.1:${options.appPort} ssl`],
  ];
  return runNginx({
    port,
    files: {
      "devices.crt": options.chainPem,
      "devices.key": options.privateKeyPem,
      "secrets.conf": secretsConf(options),
    },
    configurations: [
      { file: "deploy/nginx/devices.conf", changes: devices },
      { file: "examples/protected-app/nginx.conf", changes: app },
    ],
    workers: options.workers ?? 1,
    certificates: "/etc/nginx/devices.",
  });
}

function secretsConf({ decisionSecret, servicesToken }: { decisionSecret: string; servicesToken: string }): string {
  return `map "" $gatehouse_decision_secret { default "${decisionSecret}"; }
map "" $gatehouse_services_token { default "${servicesToken}"; }`;
}

async function runNginx(it: {
  port: number;
  files: Readonly<Record<string, string>>;
  configurations: readonly { file: string; changes: readonly Change[] }[];
  /** What the paths of certificate and key begin with. */
  certificates: string;
  workers?: 1 | "auto";
}): Promise<TestNginx> {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-nginx-"));
  const at = (name: string) => join(folder, name);
  for (const [name, content] of Object.entries(it.files)) writeFileSync(at(name), content, { mode: 0o600 });
  const included = it.configurations.map(({ file, changes }, index) => {
    const text = readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), "utf8");
    const inFolder: Change = [it.certificates, at(it.certificates.split("/").at(-1) ?? "")];
    writeFileSync(at(`${index}.conf`), replaceAll(text, [...changes, inFolder]));
    return `include ${at(`${index}.conf`)};`;
  });
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${at(name)};`,
  );
  const user = process.getuid?.() === 0 ? "user root;" : "";
  writeFileSync(
    at("nginx.conf"),
    `${user} daemon off; worker_processes ${it.workers ?? 1}; pid ${at("pid")}; error_log ${at("error.log")} info;
    events { worker_connections 512; }
    http { access_log off; ${temporary.join(" ")} include ${at("secrets.conf")}; ${included.join(" ")} }`,
  );
  const child = spawn("nginx", ["-p", folder, "-c", at("nginx.conf")], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk));
  const ended = once(child, "exit");
  const log = () => `${said}${readFileSync(at("error.log"), "utf8")}`;
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${said}`);
    const socket = net.connect(it.port, "127.0.0.1");
    await once(socket, "connect").finally(() => socket.destroy());
  });
  return {
    port: it.port,
    pid: child.pid ?? 0,
    log,
    async close() {
      child.kill("SIGQUIT");
      const grace = setTimeout(() => child.kill("SIGTERM"), 1_000);
      await ended;
      clearTimeout(grace);
      rmSync(folder, { recursive: true });
    },
  };
}

/** Fails when the configuration no longer says what the test changes in it. */
function replaceAll(text: string, changes: readonly Change[]): string {
  let changed = text;
  for (const [from, to] of changes) {
    if (!changed.includes(from)) throw new Error(`the configuration has no ${from}`);
    changed = changed.replaceAll(from, to);
  }
  return changed;
}
