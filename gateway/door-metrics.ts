import type { MenderOutcome } from "#lib/contracts/console/mender.ts";
import type { HandshakeCode } from "#lib/domain/refusals.ts";

/** What the door counts, in Prometheus' text format. Labels come from closed lists, so the number of series is bounded. */
export type DoorMetrics = {
  connectionOpened(): void;
  connectionClosed(): void;
  handshakeFailed(code: HandshakeCode | "broken_off"): void;
  decided(code: string): void;
  replied(status: number): void;
  /** What came of an authentication request at the Mender door. */
  preauthorized(outcome: MenderOutcome): void;
  headerMode(state: "off" | "on" | "failed"): void;
  /** What the worker measured last, as lines of their own. */
  revocation(lines: readonly string[]): void;
  /** What all gateways refused lately, as lines of their own. */
  refusals(lines: readonly string[]): void;
  render(): string;
};

export function createDoorMetrics(): DoorMetrics {
  let open = 0;
  let handshakes = 0;
  let headerMode = "off";
  let revocation: readonly string[] = [];
  let refusals: readonly string[] = [];
  const failures = new Map<string, number>();
  const decisions = new Map<string, number>();
  const replies = new Map<string, number>();
  const preauthorizations = new Map<string, number>();
  return {
    connectionOpened() {
      open += 1;
      handshakes += 1;
    },
    connectionClosed() {
      open -= 1;
    },
    handshakeFailed: (code) => void failures.set(code, (failures.get(code) ?? 0) + 1),
    decided: (code) => void decisions.set(code, (decisions.get(code) ?? 0) + 1),
    replied: (status) => void replies.set(String(status), (replies.get(String(status)) ?? 0) + 1),
    preauthorized: (outcome) => void preauthorizations.set(outcome, (preauthorizations.get(outcome) ?? 0) + 1),
    headerMode(state) {
      headerMode = state;
    },
    revocation(lines) {
      revocation = lines;
    },
    refusals(lines) {
      refusals = lines;
    },
    render: () =>
      [
        "# TYPE gatehouse_door_connections gauge",
        `gatehouse_door_connections ${open}`,
        "# TYPE gatehouse_door_handshakes_total counter",
        `gatehouse_door_handshakes_total ${handshakes}`,
        "# TYPE gatehouse_door_handshake_failures_total counter",
        ...[...failures].map(([code, count]) => `gatehouse_door_handshake_failures_total{code="${code}"} ${count}`),
        "# TYPE gatehouse_door_decisions_total counter",
        ...[...decisions].map(([code, count]) => `gatehouse_door_decisions_total{code="${code}"} ${count}`),
        "# TYPE gatehouse_door_replies_total counter",
        ...[...replies].map(([status, count]) => `gatehouse_door_replies_total{status="${status}"} ${count}`),
        "# TYPE gatehouse_mender_preauthorizations_total counter",
        ...[...preauthorizations].map(
          ([outcome, count]) => `gatehouse_mender_preauthorizations_total{outcome="${outcome}"} ${count}`,
        ),
        "# TYPE gatehouse_header_mode gauge",
        ...["off", "on", "failed"].map(
          (state) => `gatehouse_header_mode{state="${state}"} ${state === headerMode ? 1 : 0}`,
        ),
        ...revocation,
        ...refusals,
        "# TYPE process_resident_memory_bytes gauge",
        `process_resident_memory_bytes ${process.memoryUsage().rss}`,
        "# TYPE process_cpu_seconds_total counter",
        `process_cpu_seconds_total ${process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6}`,
        "",
      ].join("\n"),
  };
}
