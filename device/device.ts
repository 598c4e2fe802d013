import type { Ecu } from "#device/ecus.ts";
import type { DeviceHttp } from "#device/http.ts";
import type { DeviceStore } from "#device/state.ts";

/** Where a device is made to fail, for people who want to see failures. */
export type FailAt = "install" | "download" | "verify";

/** What is worth a line in a log. Any pino logger fits. */
export type DeviceLog = {
  info(context: Readonly<Record<string, unknown>>, message: string): void;
  warn(context: Readonly<Record<string, unknown>>, message: string): void;
};

/** All that the steps of a cycle work with. */
export type Device = {
  readonly http: DeviceHttp;
  readonly store: DeviceStore;
  readonly ecus: readonly Ecu[];
  readonly primary: Ecu;
  readonly intervalSeconds: number;
  readonly installSeconds: number;
  readonly retryDelayMs: number;
  readonly fail: FailAt | null;
  readonly clock: () => Date;
  readonly signal: AbortSignal;
  readonly log: DeviceLog;
  /** What holds until the next start only. */
  readonly run: { described: boolean };
};
