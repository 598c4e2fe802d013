/** How header mode stands: one row a namespace. */
export type HeaderModeRow = {
  readonly state: "off" | "on" | "failed";
  readonly detail: string;
  readonly since: Date;
  /** When a test last ended with a verdict. */
  readonly checkedAt: Date;
};

/** What a test through the public address found. */
export type CheckOutcome = {
  /** inconclusive: nobody can know, as when the address does not answer */
  readonly verdict: "passed" | "failed" | "inconclusive";
  readonly detail: string;
  readonly startedAt: Date;
  /** A person asked for it. */
  readonly byPerson: boolean;
};

/** How long a passed test counts; three tries of the gateway fit in. */
export const PASSED_COUNTS_MS = 15 * 60_000;

/** The row after a test. */
export function nextState(row: HeaderModeRow, outcome: CheckOutcome, now: Date): HeaderModeRow {
  const { verdict, detail, startedAt, byPerson } = outcome;
  const become = (state: HeaderModeRow["state"]): HeaderModeRow => ({
    state,
    detail,
    since: row.state === state ? row.since : now,
    checkedAt: now,
  });
  if (verdict === "failed") {
    // Who saw the header come says it better than who sent it.
    const isTold = row.state === "failed" && row.since >= startedAt;
    return isTold ? row : { ...become("failed"), since: now };
  }
  // Behind one address there may be several proxies, so a test that passes does not undo the failure of another.
  if (row.state === "failed" && !(verdict === "passed" && byPerson && row.since < startedAt)) return row;
  if (verdict === "passed") return become("on");
  const stillCounts = row.state === "on" && now.getTime() - row.checkedAt.getTime() < PASSED_COUNTS_MS;
  return stillCounts ? { ...row, detail } : become("off");
}
