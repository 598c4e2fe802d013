/** The gatehouse: a roof over an open arch. */
export function BrandMark({ className = "size-[18px]" }: { className?: string }) {
  return (
    <svg
      aria-hidden="true"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
      className={className}
    >
      <path d="M4 21V8l8-5 8 5v13" />
      <path d="M9 21v-7a3 3 0 0 1 6 0v7" />
      <path d="M2 21h20" />
    </svg>
  );
}
