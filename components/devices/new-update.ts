/** The launch page, with these devices chosen. */
export function newUpdateHref(uuids: readonly string[]): string {
  return `/updates/new?devices=${uuids.map(encodeURIComponent).join(",")}`;
}
