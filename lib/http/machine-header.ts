import { z } from "zod";
import type { MachineActor } from "#lib/authz/actor.ts";
import { AppError } from "#lib/errors/app-error.ts";

/**
 * Which machine client a door speaks for, towards the embedded services. Only doors say it: they pass nothing on that a client calls so, and
 * the services read it of nobody without their token.
 */
export const MACHINE_HEADER = "x-gatehouse-machine-client";

const MAX_CHARACTERS = 2_000;

const Machine = z.strictObject({
  id: z.string().min(1).max(100),
  name: z.string().max(300),
  address: z.string().max(100).nullable(),
});

export function printMachine({ id, name, address }: Omit<MachineActor, "kind">): string {
  return encodeURIComponent(JSON.stringify({ id, name, address }));
}

/** @returns null when no door says that a machine client asks. @throws AppError `ota.invalid_entity` */
export function parseMachine(header: string | string[] | undefined): MachineActor | null {
  if (header === undefined || header === "") return null;
  const parsed = Machine.safeParse(typeof header === "string" ? decoded(header) : null);
  if (parsed.success) return { kind: "machine", ...parsed.data };
  throw new AppError("ota.invalid_entity", `${MACHINE_HEADER} names no machine client.`);
}

function decoded(header: string): unknown {
  if (header.length > MAX_CHARACTERS) return null;
  try {
    return JSON.parse(decodeURIComponent(header));
  } catch {
    return null; // neither is anything that a door prints
  }
}
