/** Lines of text to come. */
export function SkeletonLines({ label, lines = 6 }: { label: string; lines?: number }) {
  return (
    <div role="status" className="grid gap-3 py-2">
      <span className="sr-only">{label}</span>
      {Array.from({ length: lines }, (_, line) => line).map((line) => (
        <div key={line} aria-hidden className="flex gap-3">
          <span className="skeleton h-3 w-14" />
          <span className="skeleton h-3" style={{ width: `${34 + ((line * 23) % 41)}%` }} />
        </div>
      ))}
    </div>
  );
}
