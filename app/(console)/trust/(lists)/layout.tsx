import type { ReactNode } from "react";
import { TrustHead } from "#components/trust/trust-head.tsx";

export default function TrustLayout({ children }: { children: ReactNode }) {
  return (
    <>
      <TrustHead />
      {children}
    </>
  );
}
