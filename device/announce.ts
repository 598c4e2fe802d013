import { createHash } from "node:crypto";
import type { Device } from "#device/device.ts";
import { type Call, isOk, type Reply } from "#device/http.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import { isJsonObject, type Json, parseJsonBounded } from "#lib/uptane/json.ts";
import { member } from "#lib/uptane/read.ts";

/**
 * Registers the complete ECU list when it differs from the one the server accepted last. Nothing else may happen before
 * it succeeded.
 *
 * @throws AppError `backend.refused` with `status` and the server's `code` in its context | `backend.unreachable` | …
 * @see contracts/aktualizr-client.md section 2, "ECU registration"
 */
export async function registerEcus(device: Device): Promise<void> {
  const body = canonicalBytes({
    primary_ecu_serial: device.primary.serial,
    ecus: device.ecus.map(({ serial, hardwareId, signer }) => ({
      ecu_serial: serial,
      hardware_identifier: hardwareId,
      clientKey: { keytype: signer.publicKey.keytype, keyval: { public: signer.publicKey.keyval.public } },
    })),
  });
  const reply = await sendWhenChanged(device, { method: "POST", path: "/director/ecus", body });
  if (reply === null) return;
  if (!isOk(reply.status)) throw refused("The ECU registration was refused.", reply);
  device.log.info({ ecus: device.ecus.length }, "registered its ECUs");
}

/**
 * Tells once per start what the device is, each part only when it changed since it was last accepted. A refusal stops
 * nothing: the same body comes again with the next start.
 *
 * @see contracts/aktualizr-client.md section 3 and 4
 */
export async function describeDevice(device: Device): Promise<void> {
  if (device.run.described) return;
  const { hardwareId } = device.primary;
  const identity = createHash("sha256").update(device.primary.serial).digest();
  await sendWhenChanged(device, put("/system_info", hardwareTree(hardwareId, identity)));
  await sendWhenChanged(device, put("/core/installed", [{ name: "fake-package", version: "1.0" }]));
  await sendWhenChanged(device, put("/system_info/network", networkOf(hardwareId, identity)));
  await sendWhenChanged(device, {
    method: "POST",
    path: "/system_info/config",
    contentType: "application/toml",
    body: Buffer.from(effectiveConfig(device), "utf8"),
  });
  device.run.described = true;
}

/** The error for a reply that stops the cycle. Only `code` of an error body is ever looked at. */
export function refused(message: string, reply: Reply): AppError {
  return new AppError("backend.refused", message, { context: { status: reply.status, code: codeOf(reply) } });
}

/** @returns the reply, or null when the server has this body already */
async function sendWhenChanged(device: Device, call: Call & { readonly body: Uint8Array }): Promise<Reply | null> {
  const { accepted } = device.store.state;
  const digest = createHash("sha256").update(call.body).digest("hex");
  if (accepted[call.path] === digest) return null;
  const reply = await device.http.call(call);
  if (isOk(reply.status)) {
    accepted[call.path] = digest;
    await device.store.save();
  }
  return reply;
}

function put(path: string, body: Json): Call & { readonly body: Uint8Array } {
  return { method: "PUT", path, body: canonicalBytes(body) };
}

function codeOf(reply: Reply): string | null {
  try {
    const body = parseJsonBounded(reply.body, { maxBytes: 65_536, maxDepth: 16, maxNodes: 1_000 });
    const code = isJsonObject(body) ? member(body, "code") : null;
    return typeof code === "string" ? code.slice(0, 100) : null;
  } catch (error) {
    // Bodies may be empty or plain text; then there is no code to tell.
    if (error instanceof AppError) return null;
    throw error;
  }
}

/** In the shape of `lshw -json`, so that the console shows it like a real device's. */
function hardwareTree(hardwareId: string, identity: Buffer): Json {
  return {
    id: "simulated",
    class: "system",
    description: "Simulated device",
    product: hardwareId,
    vendor: "Gatehouse",
    serial: identity.toString("hex", 0, 8),
    width: 64,
    children: [
      {
        id: "core",
        class: "bus",
        description: "Motherboard",
        children: [
          { id: "cpu", class: "processor", product: "Simulated processor", units: "Hz", size: 1_500_000_000 },
          { id: "memory", class: "memory", description: "System memory", units: "bytes", size: 4_294_967_296 },
        ],
      },
    ],
  };
}

/** Addresses that are stable per device and belong to nobody: locally administered MAC, private network. */
function networkOf(hardwareId: string, identity: Buffer): Json {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = identity;
  const mac = [0x02, a, b, c, d, e].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
  return { hostname: `${hardwareId}-${identity.toString("hex", 0, 3)}`, local_ipv4: `10.${a}.${b}.${c}`, mac };
}

function effectiveConfig(device: Device): string {
  return [
    "[pacman]",
    'type = "none"',
    "",
    "[provision]",
    'mode = "DeviceCred"',
    `primary_ecu_hardware_id = ${JSON.stringify(device.primary.hardwareId)}`,
    "",
    "[uptane]",
    `polling_sec = ${Math.max(1, Math.round(device.intervalSeconds))}`,
    "force_install_completion = false",
    "",
  ].join("\n");
}
