import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "#tests/harness/eventually.ts";

const CONFIGURATION = fileURLToPath(new URL("../../deploy/nginx/tools.conf", import.meta.url));

export type TestNginx = { readonly port: number; log(): string; close(): Promise<void> };

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
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-nginx-"));
  const at = (name: string) => join(folder, name);
  const port = await freePort();
  writeFileSync(at("tools.crt"), options.chainPem);
  writeFileSync(at("tools.key"), options.privateKeyPem, { mode: 0o600 });
  const tools = replaceAll(readFileSync(CONFIGURATION, "utf8"), [
    ["127.0.0.1:9010", `127.0.0.1:${options.decisionPort}`],
    ["127.0.0.1:8444", `127.0.0.1:${options.toolsPort}`],
    ["127.0.0.1:9000", `127.0.0.1:${options.servicesPort}`],
    ["listen 443 ssl", `listen 127.0.0.1:${port} ssl`],
    ["/etc/nginx/tools.", at("tools.")],
  ]);
  writeFileSync(at("tools.conf"), tools);
  const secrets = [
    `map "" $gatehouse_decision_secret { default "${options.decisionSecret}"; }`,
    `map "" $gatehouse_services_token { default "${options.servicesToken}"; }`,
  ];
  writeFileSync(at("secrets.conf"), secrets.join("\n"), { mode: 0o600 });
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${at(name)};`,
  );
  const user = process.getuid?.() === 0 ? "user root;" : "";
  writeFileSync(
    at("nginx.conf"),
    `${user} daemon off; worker_processes 1; pid ${at("pid")}; error_log ${at("error.log")} info;
    events { worker_connections 512; }
    http { access_log off; ${temporary.join(" ")} include ${at("secrets.conf")}; include ${at("tools.conf")}; }`,
  );
  const child = spawn("nginx", ["-p", folder, "-c", at("nginx.conf")], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk));
  const ended = once(child, "exit");
  const log = () => `${said}${readFileSync(at("error.log"), "utf8")}`;
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${said}`);
    const socket = net.connect(port, "127.0.0.1");
    await once(socket, "connect").finally(() => socket.destroy());
  });
  return {
    port,
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
function replaceAll(text: string, changes: readonly (readonly [string, string])[]): string {
  let changed = text;
  for (const [from, to] of changes) {
    if (!changed.includes(from)) throw new Error(`the configuration has no ${from}`);
    changed = changed.replaceAll(from, to);
  }
  return changed;
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}
