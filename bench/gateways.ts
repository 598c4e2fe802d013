import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Actor, SHELL } from "#lib/authz/actor.ts";
import { loadDoorRootPem } from "#services/authorities/service.ts";
import { type IdentityCtx, issueDevice } from "#services/identity/service.ts";
import { freePort } from "#tests/harness/free-port.ts";
import { openInstallCtx } from "#tests/harness/install-ctx.ts";
import { startSystem } from "#tests/harness/system.ts";

const GATEWAY = fileURLToPath(new URL("../gateway/main.ts", import.meta.url));

export type BenchDevice = { readonly pem: string; readonly privateKeyPem: string; readonly fingerprint: string };
export type Gateway = { readonly pid: number; readonly doorPort: number; readonly decisionPort: number };

/** An install with the services, and as many gateways beside it as are asked for. */
export type Gateways = {
  readonly ctx: IdentityCtx;
  readonly actor: Actor;
  readonly databaseUrl: string;
  readonly servicesToken: string;
  readonly decisionSecret: string;
  /** What devices know the doors by. There is one once a gateway has started. */
  rootPem(): Promise<string>;
  issue(count: number): Promise<BenchDevice[]>;
  /** @param settings on top of those of the install */
  start(count: number, settings?: Readonly<Record<string, string>>): Promise<Gateway[]>;
  drop(): Promise<void>;
};

export async function openGateways(): Promise<Gateways> {
  const system = await startSystem({}, ["services"]);
  const { ctx, env, secrets, databaseUrl, close } = await openInstallCtx(system);
  const children: ChildProcess[] = [];
  let issued = 0;
  return {
    ctx,
    actor: SHELL,
    databaseUrl,
    servicesToken: secrets.SERVICES_TOKEN ?? "",
    decisionSecret: secrets.DECISION_SECRET ?? "",
    rootPem: () => loadDoorRootPem(ctx),
    async issue(count) {
      const devices: BenchDevice[] = [];
      while (devices.length < count) {
        const made = await issueDevice(ctx, SHELL, { name: `bench-${++issued}`, hardwareId: "rpi4" });
        const { "client.pem": pem, "pkey.pem": privateKeyPem } = made.files;
        devices.push({ pem, privateKeyPem, fingerprint: made.fingerprint });
      }
      return devices;
    },
    start: (count, settings = {}) =>
      Promise.all(
        Array.from({ length: count }, async () => {
          const [door, tools, decision] = await Promise.all([freePort(), freePort(), freePort()]);
          const ports = { DEVICE_DOOR_PORT: `${door}`, TOOLS_DOOR_PORT: `${tools}`, DECISION_PORT: `${decision}` };
          const child = spawn(process.execPath, [GATEWAY], {
            env: { ...env, ...settings, ...ports },
            stdio: ["ignore", "ignore", "inherit", "ipc"],
          });
          children.push(child);
          const [said] = await Promise.race([once(child, "message"), once(child, "exit")]);
          if (typeof said !== "object") throw new Error("a gateway did not start");
          return { pid: child.pid ?? 0, doorPort: door, decisionPort: decision };
        }),
      ),
    async drop() {
      const ended = children.map((child) => (child.exitCode === null ? once(child, "exit") : null));
      for (const child of children) child.kill("SIGTERM");
      await Promise.all(ended);
      await close();
      await system.drop();
    },
  };
}
