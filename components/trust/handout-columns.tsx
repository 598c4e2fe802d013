"use client";

import { LAST_USED } from "#components/ui/columns.tsx";
import type { Column } from "#components/ui/data-table.tsx";
import { Pill, type Tone } from "#components/ui/status.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import { count } from "#lib/client/format.ts";
import type { EnrolmentToken } from "#lib/contracts/console/enrolment.ts";
import { GroupName } from "./group-names.tsx";

type Handout = Pick<
  EnrolmentToken,
  "state" | "policy" | "usesAllowed" | "usesLeft" | "groupId" | "hardwareId" | "validUntil" | "lastUsedAt"
>;

const STATES: Readonly<Record<Handout["state"], { tone: Tone; word: string }>> = {
  active: { tone: "ok", word: "active" },
  not_yet_valid: { tone: "idle", word: "not yet valid" },
  exhausted: { tone: "idle", word: "exhausted" },
  expired: { tone: "idle", word: "expired" },
  revoked: { tone: "bad", word: "revoked" },
};

/** How far what was handed out is used up: of tokens and shared credentials alike. */
export function handoutColumns(used: string): readonly Column<Handout>[] {
  return [
    { id: "state", head: "State", cell: ({ state }) => <Pill tone={STATES[state].tone}>{STATES[state].word}</Pill> },
    {
      id: "devices",
      head: used,
      align: "right",
      cell: ({ usesAllowed, usesLeft }) => `${count(usesAllowed - usesLeft)} of ${count(usesAllowed)}`,
    },
    {
      id: "policy",
      head: "Its devices",
      from: "md",
      cell: ({ policy }) => (policy === "allowed" ? "let in at once" : "wait for approval"),
    },
    { id: "until", head: "Until", from: "md", cell: ({ validUntil }) => <AbsoluteTime at={validUntil} dateOnly /> },
    LAST_USED,
  ];
}

/** What is expected of its devices, in the line under its description. */
export function Expected({ groupId, hardwareId }: Pick<Handout, "groupId" | "hardwareId">) {
  return (
    <>
      {hardwareId === null ? "" : `, for ${hardwareId}`}
      {groupId === null ? "" : ", into "}
      {groupId === null ? null : <GroupName id={groupId} />}
    </>
  );
}
