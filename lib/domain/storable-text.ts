/**
 * Text from devices as PostgreSQL can keep it: a NUL and half of a surrogate pair are legal in a device's JSON and refused by
 * text and jsonb columns. Each becomes U+FFFD; the bytes as received are kept elsewhere.
 */
export function storableText(text: string, maxLength = 2_000): string {
  return text.slice(0, maxLength).toWellFormed().replaceAll("\0", "\uFFFD");
}
