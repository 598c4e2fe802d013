import { type CanaryRecord, DELAY_BUCKETS_MS } from "#services/revocation/service.ts";

/** How soon revocations were in force, in Prometheus' text format: what the worker measured of all gateways. */
export function renderCanary(record: CanaryRecord | null): string[] {
  if (record === null) return [];
  let below = 0;
  const buckets = DELAY_BUCKETS_MS.map((bound) => {
    below += record.buckets[bound] ?? 0;
    return `gatehouse_revocation_delay_ms_bucket{le="${bound}"} ${below}`;
  });
  return [
    "# TYPE gatehouse_revocation_delay_ms histogram",
    ...buckets,
    `gatehouse_revocation_delay_ms_bucket{le="+Inf"} ${record.tries}`,
    `gatehouse_revocation_delay_ms_count ${record.tries}`,
    "# TYPE gatehouse_revocation_failures_total counter",
    `gatehouse_revocation_failures_total ${record.failures}`,
    "# TYPE gatehouse_revocation_late gauge",
    `gatehouse_revocation_late ${record.lateSince === null ? 0 : 1}`,
    ...(record.lastDelayMs === null
      ? []
      : [
          "# TYPE gatehouse_revocation_last_delay_ms gauge",
          `gatehouse_revocation_last_delay_ms ${record.lastDelayMs}`,
        ]),
    ...(record.lastAt === null
      ? []
      : [
          "# TYPE gatehouse_revocation_measured_seconds gauge",
          `gatehouse_revocation_measured_seconds ${Math.round(record.lastAt.getTime() / 1_000)}`,
        ]),
  ];
}
