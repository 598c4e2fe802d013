"use client";

import dynamic from "next/dynamic";
import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import { Card, Facts } from "#components/ui/card.tsx";
import { plural } from "#lib/client/format.ts";
import type { Authority } from "#lib/contracts/console/authorities.ts";
import { ID_FIELDS, POLICIES } from "./authority-words.ts";

const AuthorityRulesDialog = dynamic(() =>
  import("./authority-rules-dialog.tsx").then((module) => module.AuthorityRulesDialog),
);

export function AuthorityRulesCard({ authority }: { authority: Authority }) {
  const [editing, setEditing] = useState(false);
  const { rules } = authority;
  const mono = (text: string) => <span className="mono">{text}</span>;
  const { field, template, form } = rules.deviceId;
  return (
    <Card
      title="What it asks of newcomers"
      aside={
        <GuardedButton
          permission="authority.manage"
          size="sm"
          blocked={authority.state === "revoked" ? "It is revoked: nothing it asks matters any more." : null}
          onClick={() => setEditing(true)}
        >
          Change…
        </GuardedButton>
      }
    >
      <Facts
        rows={[
          ["Newcomers", POLICIES[rules.policy]],
          [
            "Device id",
            <>
              {ID_FIELDS[field]}, {mono(template)}, {form === "uuid" ? "a UUID" : "any name"}
            </>,
          ],
          ["Subject", rules.subjectPattern === null ? "any" : mono(rules.subjectPattern)],
          ["Keys", rules.keyTypes.length === 0 ? "every strong one" : rules.keyTypes.join(", ")],
          ["Validity", rules.maxValidityDays === null ? "any" : `at most ${plural(rules.maxValidityDays, "day")}`],
          ["Rate", rules.newcomersPerHour === null ? "any" : `at most ${rules.newcomersPerHour} newcomers an hour`],
          ["From", rules.sourceNetworks.length === 0 ? "anywhere" : mono(rules.sourceNetworks.join(", "))],
          [
            "Issued for",
            `${plural(rules.certificateDays, "day")}; replaced ones stay good for ${plural(rules.graceDays, "day")}`,
          ],
          ["Requests", `lapse after ${plural(rules.waitingDays, "day")} of waiting`],
        ]}
      />
      {editing ? <AuthorityRulesDialog authority={authority} onClose={() => setEditing(false)} /> : null}
    </Card>
  );
}
