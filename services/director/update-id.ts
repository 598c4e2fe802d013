import { randomBytes } from "node:crypto";

const PREFIX = "urn:tdx-ota:update:";

/** A version 7 UUID: ids of updates sort by the time they were made. @see RFC 9562 section 5.7 */
export function newUpdateId(at: Date): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(at.getTime(), 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** @see contracts/director.md section 7 */
export function correlationIdOf(updateId: string): string {
  return `${PREFIX}${updateId}`;
}

/** @returns the id of the update that a correlation id names; null for one that names something else */
export function updateIdOf(correlationId: string): string | null {
  return correlationId.startsWith(PREFIX) ? correlationId.slice(PREFIX.length).toLowerCase() : null;
}
