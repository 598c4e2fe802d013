import type { ReactNode } from "react";
import { BrandMark } from "#components/shell/brand.tsx";

export default function AuthLayout({ children }: { children: ReactNode }) {
  return (
    <main className="flex min-h-dvh flex-col items-center px-5 pt-[14vh] pb-10">
      <div className="w-full max-w-[360px]">
        <div className="mb-8 flex items-center gap-2.5 text-lg font-[650] tracking-[-0.01em]">
          <BrandMark className="size-6" />
          Gatehouse
        </div>
        {children}
      </div>
    </main>
  );
}
