"use client";

import { CircleAlert, FileUp, RotateCw } from "lucide-react";
import { GuardedButton, useCan } from "#components/shell/me.tsx";
import { Button } from "#components/ui/button.tsx";
import { Callout } from "#components/ui/callout.tsx";
import { Card } from "#components/ui/card.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { Digest } from "#components/ui/digest.tsx";
import { KEY_STATE, Pill, StatusBadge } from "#components/ui/status.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import type { KeyRepository, KeysOverview, RepositoryName, RoleKeys } from "#lib/contracts/console/keys.ts";
import type { OfflineKey } from "./offline-dialog.tsx";
import { RENEWAL_TEXT, REPOSITORY_TITLE, roleText, shortKeyId, strandedText } from "./words.ts";

/** What a person wants to do to a repository's keys. */
export type KeyAct =
  | { do: "rotate"; repository: RepositoryName }
  | { do: "upload"; repository: RepositoryName; replaces: string | null }
  | { do: "re-sign"; repository: KeyRepository }
  | { do: "offline"; taken: OfflineKey };

type RepositoryCardProps = {
  repository: KeyRepository;
  fleet: KeysOverview["fleet"];
  onAct: (act: KeyAct) => void;
  retry: () => void;
};

/** One repository: its roles, and what can be done about them. */
export function RepositoryCard({ repository, fleet, onAct, retry }: RepositoryCardProps) {
  const mayManage = useCan("key.manage");
  const name = repository.repository;
  if (repository.problem !== null) {
    return (
      <Card title={REPOSITORY_TITLE[name]}>
        <Callout
          tone="bad"
          icon={CircleAlert}
          role="alert"
          title="Its keys can't be shown"
          action={
            <Button size="sm" onClick={retry}>
              Try again
            </Button>
          }
        >
          {repository.problem} Whether they are online is not known.
        </Callout>
      </Card>
    );
  }
  const root = repository.roles.find(({ role }) => role === "root");
  const isRootOffline = root?.keys.some(({ state }) => state === "offline") ?? false;
  const takeOffline = (role: string, keyId: string) =>
    onAct({ do: "offline", taken: { repository: name, role, keyId, isRootOffline } });
  return (
    <Card title={REPOSITORY_TITLE[name]} flush>
      <div className="flex flex-wrap gap-2 border-b border-line px-3.5 py-2.5">
        <Acts repository={repository} onAct={onAct} />
      </div>
      {repository.keyProblem === null ? null : (
        <p role="status" className="border-b border-line px-3.5 py-2.5 text-ink-2">
          Which keys are online is not known: {repository.keyProblem}
        </p>
      )}
      <DataTable
        inCard
        caption={`Roles of the ${REPOSITORY_TITLE[name]}`}
        columns={columns(fleet, mayManage ? takeOffline : null)}
        rows={repository.roles}
        keyOf={({ role }) => role}
      />
      <p className="border-t border-line px-3.5 py-2.5 text-sm text-ink-3">
        A device looks at these dates when it polls. Who is away until a role is signed again loses nothing.
      </p>
    </Card>
  );
}

function Acts({ repository, onAct }: Omit<RepositoryCardProps, "fleet" | "retry">) {
  const name = repository.repository;
  const targets = repository.roles.find(({ role }) => role === "targets");
  const { rotate, reSign } = repository.obstacles;
  return (
    <>
      <GuardedButton
        permission="key.manage"
        blocked={rotate}
        size="sm"
        aria-label={`Rotate the root keys of the ${REPOSITORY_TITLE[name]}`}
        onClick={() => onAct({ do: "rotate", repository: name })}
      >
        <RotateCw aria-hidden />
        Rotate…
      </GuardedButton>
      <GuardedButton
        permission="key.manage"
        blocked={reSign}
        size="sm"
        aria-label={`Sign again now: ${REPOSITORY_TITLE[name]}`}
        onClick={() => onAct({ do: "re-sign", repository })}
      >
        Sign again…
      </GuardedButton>
      <GuardedButton
        permission="key.manage"
        size="sm"
        aria-label={`Upload a signed root of the ${REPOSITORY_TITLE[name]}`}
        onClick={() => onAct({ do: "upload", repository: name, replaces: null })}
      >
        <FileUp aria-hidden />
        Signed root…
      </GuardedButton>
      {name === "director" || targets?.checksum == null ? null : (
        <GuardedButton
          permission="key.manage"
          blocked={repository.obstacles.pushTargets}
          size="sm"
          aria-label="Upload signed targets of the image repository"
          onClick={() => onAct({ do: "upload", repository: name, replaces: targets.checksum })}
        >
          <FileUp aria-hidden />
          Signed targets…
        </GuardedButton>
      )}
    </>
  );
}

function columns(
  fleet: KeysOverview["fleet"],
  takeOffline: ((role: string, keyId: string) => void) | null,
): readonly Column<RoleKeys>[] {
  return [
    {
      id: "role",
      head: "Role",
      rowHeader: true,
      wrap: true,
      grow: true,
      cell: (role) => (
        <>
          <span data-tip={roleText(role.role)}>{role.role}</span>
          <span className="mt-0.5 block text-sm font-normal text-ink-2">{strandedText(role, fleet)}</span>
        </>
      ),
    },
    {
      id: "keys",
      head: "Keys",
      wrap: true,
      cell: ({ role, keys }) => (
        <ul className="grid gap-1.5 md:min-w-[300px]">
          {keys.map(({ keyId, type, state, canGoOffline, offlineObstacle }) => (
            <li key={keyId} className="flex flex-wrap items-center gap-x-2.5 gap-y-0.5">
              <Digest value={keyId} short={shortKeyId(keyId)} label={`id of the ${role} key`} />
              <span className="text-sm text-ink-3 max-md:hidden">{type}</span>
              <StatusBadge look={KEY_STATE[state]} />
              {(canGoOffline || offlineObstacle !== null) && takeOffline !== null ? (
                <button
                  type="button"
                  className="link min-h-6 text-left text-sm whitespace-nowrap aria-disabled:text-ink-3"
                  aria-disabled={offlineObstacle !== null || undefined}
                  data-tip={offlineObstacle ?? undefined}
                  onClick={offlineObstacle === null ? () => takeOffline(role, keyId) : undefined}
                >
                  Take offline…
                  <span className="sr-only">
                    : {role} key {shortKeyId(keyId)}
                  </span>
                </button>
              ) : null}
            </li>
          ))}
        </ul>
      ),
    },
    {
      id: "threshold",
      head: "Threshold",
      from: "lg",
      align: "right",
      cell: ({ threshold, keys }) => `${threshold} of ${keys.length}`,
    },
    {
      id: "version",
      head: "Version",
      from: "sm",
      align: "right",
      cell: ({ version }) => version ?? <span className="text-ink-3">per device</span>,
    },
    { id: "expires", head: "Expires", align: "right", cell: (role) => <Expiry {...role} /> },
    { id: "renewal", head: "Signed again", from: "md", cell: ({ renewal }) => RENEWAL_TEXT[renewal] },
  ];
}

function Expiry({ expiresAt, warning }: RoleKeys) {
  if (expiresAt === null) return <span className="text-ink-3">–</span>;
  const time = <RelativeTime at={expiresAt} />;
  if (warning === null) return time;
  return (
    <Pill tone={warning.tone} icon={CircleAlert}>
      {warning.withinDays === 0 ? <>ended {time}</> : time}
    </Pill>
  );
}
