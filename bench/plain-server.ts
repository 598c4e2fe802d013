import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "#tests/harness/eventually.ts";
import { freePort } from "#tests/harness/free-port.ts";

/** nginx that keeps plain files and gives them out over TLS: what OSTree repositories are usually served by. */
export type PlainServer = { readonly url: string; readonly caPem: string; close(): Promise<void> };

/** @throws when there is no `nginx` with its DAV module, or no `openssl` */
export async function startPlainServer(): Promise<PlainServer> {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-plain-"));
  const at = (name: string) => join(folder, name);
  const port = await freePort();
  mkdirSync(at("files"));
  const words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -days 2";
  const files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", at("key.pem"), "-out", at("server.pem")];
  execFileSync("openssl", [...words.split(" "), ...files], { stdio: "ignore" });
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${at(name)};`,
  );
  writeFileSync(
    at("nginx.conf"),
    `${process.getuid?.() === 0 ? "user root;" : ""} daemon off; worker_processes auto; pid ${at("pid")}; error_log ${at("error.log")};
    events { worker_connections 512; }
    http {
      access_log off; ${temporary.join(" ")} default_type application/octet-stream; client_max_body_size 8g; keepalive_requests 100000;
      server {
        listen 127.0.0.1:${port} ssl;
        ssl_certificate ${at("server.pem")}; ssl_certificate_key ${at("key.pem")};
        root ${at("files")};
        dav_methods PUT; create_full_put_path on;
      }
    }`,
  );
  const child = spawn("nginx", ["-p", folder, "-c", at("nginx.conf")], { stdio: "ignore" });
  const ended = once(child, "exit");
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${readFileSync(at("error.log"), "utf8")}`);
    const socket = net.connect(port, "127.0.0.1");
    await once(socket, "connect").finally(() => socket.destroy());
  });
  return {
    url: `https://localhost:${port}`,
    caPem: readFileSync(at("server.pem"), "utf8"),
    async close() {
      child.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}
