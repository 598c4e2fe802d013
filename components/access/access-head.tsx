"use client";

import { PackageOpen } from "lucide-react";
import dynamic from "next/dynamic";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { type ReactNode, useState } from "react";
import { GuardedButton, useCan } from "#components/shell/me.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { Tabs } from "#components/ui/tabs.tsx";

const BuildDialog = dynamic(() =>
  import("#components/credentials/build-dialog.tsx").then((module) => module.BuildDialog),
);

export function AccessHead({ actions }: { actions: ReactNode }) {
  const pathname = usePathname();
  const managesTokens = useCan("token.manage");
  const [building, setBuilding] = useState(false);
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
        actions={
          <>
            <GuardedButton permission="credential.manage" onClick={() => setBuilding(true)}>
              <PackageOpen aria-hidden />
              Build tools…
            </GuardedButton>
            {actions}
          </>
        }
      />
      <Tabs
        label="Access"
        tabs={[
          { href: "/access", label: "Users", current: pathname === "/access" },
          { href: "/access/tokens", label: "Tokens", current: pathname === "/access/tokens" },
          ...(managesTokens
            ? [{ href: "/access/machines", label: "Machine clients", current: pathname === "/access/machines" }]
            : []),
        ]}
      />
      {building ? <BuildDialog onClose={() => setBuilding(false)} /> : null}
    </>
  );
}
