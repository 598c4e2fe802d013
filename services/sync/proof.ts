import { createHash } from "node:crypto";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type { DirectorDeviceState } from "#lib/contracts/ota/director.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { parseJsonBounded } from "#lib/uptane/json.ts";
import { parseTufKey, type TufKey } from "#lib/uptane/keys.ts";
import { MANIFEST_LIMITS } from "#lib/uptane/limits.ts";
import { parseManifest, verifyManifest } from "#lib/uptane/manifest.ts";
import type { UpdateEvidence } from "#services/rollouts/service.ts";

/**
 * The signed manifest behind "updated", from a director that is a Gatehouse, verified here: the director's word is not needed where the
 * device's own is to be had.
 *
 * @returns null when it does not hold, or is not kept any more
 * @throws AppError `backend.*`
 */
export async function findProof(
  ctx: BackendCtx,
  uuid: string,
  of: { state: DirectorDeviceState; filenames: readonly string[] },
): Promise<UpdateEvidence | null> {
  const { director } = ctx.backends;
  const proving = of.state.ecus.find(
    ({ installed }) => installed !== null && of.filenames.includes(installed.filename),
  );
  const primary = of.state.ecus.find((ecu) => ecu.primary);
  if (proving?.installed?.manifest == null || primary === undefined) return null;
  const { manifest, filename, sha256, reportedAt } = proving.installed;
  try {
    const bytes = await director.getManifest(ctx, { deviceUuid: uuid, sha256: manifest.sha256 });
    if (createHash("sha256").update(bytes).digest("hex") !== manifest.sha256) return null;
    const keys = await Promise.all(
      of.state.ecus.map(async ({ serial }): Promise<[string, TufKey]> => {
        const key = await director.getPublicKey(ctx, { deviceUuid: uuid, serial });
        return [serial, parseTufKey(parseJsonBounded(Buffer.from(JSON.stringify(key)), MANIFEST_LIMITS))];
      }),
    );
    const verdict = verifyManifest(parseManifest(bytes), new Map(keys), primary.serial);
    if (verdict.kind === "refused") return null;
    const report = verdict.ecus.find(({ serial }) => serial === proving.serial);
    const image = report?.installedImage;
    if (report === undefined || image?.filepath !== filename || image.sha256 !== sha256) return null;
    return {
      manifestId: manifest.id,
      manifestSha256: manifest.sha256,
      ecuSerial: proving.serial,
      keyId: report.verifiedKeyId,
      reportedAt: reportedAt ?? ctx.clock().toISOString(),
    };
  } catch (error) {
    if (!isAppError(error) || (error.code !== "device.not_found" && !error.code.startsWith("uptane."))) throw error;
    ctx.log.warn({ err: error, deviceUuid: uuid }, "a manifest of an external director does not hold");
    return null;
  }
}
