/** Sealed with the row's id, so that a key copied to another row does not open. */
export function purposeOf(authorityId: string): string {
  return `authority:${authorityId}`;
}

export function serverPurposeOf(rowId: string): string {
  return `server-certificate:${rowId}`;
}
