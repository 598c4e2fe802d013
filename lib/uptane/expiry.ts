import { AppError } from "#lib/errors/app-error.ts";

/**
 * The one date form a device can read: 20 characters, whole seconds, `Z`. Milliseconds make the document unparsable there.
 *
 * @throws AppError `uptane.malformed` for an invalid date or a year outside 0000 to 9999
 * @see contracts/aktualizr-client.md section 5, "expires"
 */
export function formatExpires(date: Date): string {
  const time = date.getTime();
  if (!Number.isFinite(time)) throw malformed();
  const text = new Date(Math.floor(time / 1000) * 1000).toISOString().replace(".000Z", "Z");
  if (text.length !== 20) throw malformed();
  return text;
}

/** Reads exactly what {@link formatExpires} writes; refuses every other form and dates that do not exist. @throws AppError `uptane.malformed` */
export function parseExpires(text: string): Date {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/.test(text)) throw malformed();
  const date = new Date(text);
  // 24:00:00 parses, as the next day; comparing with the printed form refuses it.
  if (Number.isNaN(date.getTime()) || formatExpires(date) !== text) throw malformed();
  return date;
}

function malformed(): AppError {
  return new AppError("uptane.malformed", "An expiry date must have the form YYYY-MM-DDThh:mm:ssZ.");
}
