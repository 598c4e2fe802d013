import type { JsonLimits } from "#lib/uptane/json.ts";

/**
 * What a device client accepts at most, so what we read and write at most.
 *
 * @see contracts/aktualizr-client.md section 5; contracts/uptane-metadata.md section 8, rule 8
 */
export const METADATA_LIMITS = {
  root: { maxBytes: 65_536, maxDepth: 32, maxNodes: 10_000 },
  timestamp: { maxBytes: 65_536, maxDepth: 32, maxNodes: 10_000 },
  snapshot: { maxBytes: 65_536, maxDepth: 32, maxNodes: 10_000 },
  imageTargets: { maxBytes: 8_388_608, maxDepth: 32, maxNodes: 1_000_000 },
  directorTargets: { maxBytes: 65_536, maxDepth: 32, maxNodes: 10_000 },
} as const satisfies Record<string, JsonLimits>;

/** A device's own documents; generous, since `raw_report` and `custom` are free. */
export const MANIFEST_LIMITS: JsonLimits = { maxBytes: 4_194_304, maxDepth: 64, maxNodes: 100_000 };

/** Each signature costs a verification, so their number in one document is capped. */
export const MAX_SIGNATURES = 64;

/** ECUs in one manifest. */
export const MAX_ECUS = 256;
