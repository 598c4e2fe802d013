"use client";

import Link from "next/link";
import { usePathname } from "next/navigation";
import type { ReactNode } from "react";
import { PageHead } from "#components/ui/page.tsx";
import { Tabs } from "#components/ui/tabs.tsx";

export function AccessHead({ actions }: { actions: ReactNode }) {
  const pathname = usePathname();
  return (
    <>
      <PageHead
        title="Access"
        meta={
          <>
            Who may use this console, and with which tokens scripts do ·{" "}
            <Link href="/docs/api" className="link underline">
              API reference
            </Link>
          </>
        }
        actions={actions}
      />
      <Tabs
        label="Access"
        tabs={[
          { href: "/access", label: "Users", current: pathname === "/access" },
          { href: "/access/tokens", label: "Tokens", current: pathname === "/access/tokens" },
        ]}
      />
    </>
  );
}
