import { join } from "node:path";
import { z } from "zod";
import { findFile, writeAtomically } from "#device/files.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { asDeviceSigner, generateKeyPair, type Signer, signerFromPrivate } from "#lib/uptane/keys.ts";

/** One ECU of the vehicle; the key never leaves its folder. The first is the primary, and serials are key ids. */
export type Ecu = {
  readonly serial: string;
  readonly hardwareId: string;
  readonly signer: Signer;
  readonly primary: boolean;
};

const Keys = z.array(z.string());

/**
 * The vehicle's ECUs, with keys made at first use and kept for good. More secondaries than last time get new keys; fewer
 * leave the others' keys for later.
 *
 * @throws AppError `start.failed` when the stored keys cannot be read
 */
export async function openEcus(
  dir: string,
  vehicle: { readonly hardwareId: string; readonly secondaries: number },
): Promise<readonly Ecu[]> {
  const path = join(dir, "ecu-keys.json");
  const stored = await findFile(path);
  const keys = stored === null ? [] : parseKeys(path, stored);
  const wanted = vehicle.secondaries + 1;
  if (keys.length < wanted) {
    while (keys.length < wanted) keys.push(generateKeyPair("ED25519").privateKey);
    await writeAtomically(path, JSON.stringify(keys));
  }
  return keys.slice(0, wanted).map((key, index) => {
    const signer = asDeviceSigner(signerFromPrivate("ED25519", key));
    const hardwareId = index === 0 ? vehicle.hardwareId : `${vehicle.hardwareId}-secondary`;
    return { serial: signer.keyId, hardwareId, signer, primary: index === 0 };
  });
}

function parseKeys(path: string, bytes: Buffer): string[] {
  try {
    return Keys.parse(JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    throw new AppError("start.failed", `The ECU keys in ${path} cannot be read.`, { cause });
  }
}
