"use client";

const MAX_DEPTH = 40;

/** A reported document as a tree that folds. Searching shows only the branches that hold the text, opened. */
export function JsonTree({ value, search }: { value: unknown; search: string }) {
  if (search !== "" && !holds(value, search, 0)) return <p className="text-ink-3">Nothing of that name.</p>;
  return (
    <div className="mono overflow-x-auto">
      <Node value={value} search={search} depth={0} />
    </div>
  );
}

function Node({ value, search, depth }: { value: unknown; search: string; depth: number }) {
  if (depth > MAX_DEPTH) return <span className="text-ink-3">…</span>;
  return (
    <ul className={depth === 0 ? "" : "border-l border-line pl-4"}>
      {entriesOf(value)
        .filter(
          ([name, child]) => search === "" || name.toLowerCase().includes(search) || holds(child, search, depth + 1),
        )
        .map(([name, child]) => (
          <li key={name} className="py-px">
            {isBranch(child) ? (
              <details open={search !== "" || depth < 1}>
                <summary className="py-0.5 marker:text-ink-3">
                  <span className="text-ink-2">{name}</span> <span className="text-ink-3">{headline(child)}</span>
                </summary>
                <Node value={child} search={name.toLowerCase().includes(search) ? "" : search} depth={depth + 1} />
              </details>
            ) : (
              <div className="wrap-anywhere">
                <span className="text-ink-2">{name}</span> <span>{String(child)}</span>
              </div>
            )}
          </li>
        ))}
    </ul>
  );
}

function isBranch(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === "object" && value !== null ? Object.entries(value) : [["", value]];
}

/** What names a part in lshw's reports. */
function headline(value: object): string {
  for (const name of ["description", "product", "id"]) {
    const text: unknown = Reflect.get(value, name);
    if (typeof text === "string") return text;
  }
  return Array.isArray(value) ? `${value.length}` : "";
}

function holds(value: unknown, search: string, depth: number): boolean {
  if (depth > MAX_DEPTH) return false;
  if (typeof value !== "object" || value === null) return String(value).toLowerCase().includes(search);
  return Object.entries(value).some(
    ([name, child]) => name.toLowerCase().includes(search) || holds(child, search, depth + 1),
  );
}
