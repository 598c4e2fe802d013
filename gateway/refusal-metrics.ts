import type { RefusalRate } from "#lib/contracts/console/refusals.ts";
import { wordsOf } from "#lib/domain/refusals.ts";

type Counts = Pick<RefusalRate, "lastHour" | "usualHour" | "isUnusual">;

/**
 * How often devices were refused, by all gateways together, in Prometheus' text format. Labels are the codes of the closed list; what another
 * version stored is one series, `other`.
 */
export function renderRefusalRates(rates: readonly RefusalRate[]): string[] {
  const series = new Map<string, Counts>();
  for (const rate of rates) {
    const code = wordsOf(rate.code) === null ? "other" : rate.code;
    const before = series.get(code) ?? { lastHour: 0, usualHour: 0, isUnusual: false };
    series.set(code, {
      lastHour: before.lastHour + rate.lastHour,
      usualHour: before.usualHour + rate.usualHour,
      isUnusual: before.isUnusual || rate.isUnusual,
    });
  }
  const gauge = (name: string, read: (counts: Counts) => number) => [
    `# TYPE ${name} gauge`,
    ...[...series].map(([code, counts]) => `${name}{code="${code}"} ${read(counts)}`),
  ];
  return [
    ...gauge("gatehouse_refusals_last_hour", ({ lastHour }) => lastHour),
    ...gauge("gatehouse_refusals_usual_hour", ({ usualHour }) => usualHour),
    ...gauge("gatehouse_refusals_unusual", ({ isUnusual }) => (isUnusual ? 1 : 0)),
  ];
}
