/**
 * What a secret must be to be used once more. As the condition of the one statement that also counts the use: whoever comes when none is
 * left, or after the end, waits for the row and then finds no row to change.
 */
export function usableOnce({ id, at }: { id: string; at: Date }) {
  return { id, usesLeft: { gt: 0 }, revokedAt: null, validFrom: { lte: at }, validUntil: { gt: at } };
}

export function usedOnce(at: Date) {
  return { usesLeft: { decrement: 1 }, lastUsedAt: at };
}
