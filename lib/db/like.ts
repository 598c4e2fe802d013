import { storableText } from "#lib/domain/storable-text.ts";

/** Text for a LIKE pattern (also Prisma's `contains`, which escapes nothing): `%`, `_` and `\` mean themselves. */
export function escapeLike(text: string): string {
  return storableText(text).replace(/[\\%_]/g, "\\$&");
}
