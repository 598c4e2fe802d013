"use client";

import { useMutation } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import { Callout } from "#components/ui/callout.tsx";
import { Card } from "#components/ui/card.tsx";
import { CodeLine } from "#components/ui/code-line.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Field, Textarea } from "#components/ui/field.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { api } from "#lib/client/api.ts";
import { useProveAuthority } from "#lib/client/authority-mutations.ts";
import type { Authority } from "#lib/contracts/console/authorities.ts";

/** Possession of an uploaded authority's key, shown by signing a one-time code with it. */
export function AuthorityProof({ authority }: { authority: Authority }) {
  const [pem, setPem] = useState("");
  const order = useMutation({ mutationFn: () => api.orderAuthorityProof(authority.id) });
  const prove = useProveAuthority(authority.id);
  return (
    <Card title="Prove that you have its key">
      <div className="grid gap-3.5">
        <Callout tone="warn" icon={KeyRound} title="It admits nobody yet">
          Anybody can upload anybody's certificate. Sign a one-time code with the authority's key to show that it is
          yours.
        </Callout>
        <div>
          <GuardedButton
            permission="authority.manage"
            look={order.data === undefined ? "primary" : "plain"}
            busy={order.isPending}
            onClick={() => order.mutate()}
          >
            {order.data === undefined && authority.proofUntil === null ? "Get a code" : "Get another code"}
          </GuardedButton>
          {order.data === undefined && authority.proofUntil !== null ? (
            <p className="mt-1.5 text-ink-2">
              A code was given out, which can be used until <AbsoluteTime at={authority.proofUntil} />. It is shown only
              once; another one takes its place.
            </p>
          ) : null}
        </div>
        {order.error === null ? null : <ErrorPanel what="No code" error={order.error} />}
        {order.data === undefined ? null : (
          <div className="grid gap-2">
            <p className="text-ink-2">
              Run these where <code className="mono">ca.pem</code> and <code className="mono">ca.key</code> are. The
              code counts until <AbsoluteTime at={order.data.until} />.
            </p>
            {order.data.commands.map((command) => (
              <CodeLine key={command} label="Command" code={command} />
            ))}
          </div>
        )}
        <form
          className="grid gap-2"
          onSubmit={(event) => {
            event.preventDefault();
            afterwards(prove.mutateAsync(pem), (proved) => toast.done(`${proved.name} counts from now on`));
          }}
        >
          <Field label="What came out: proof.pem">
            <Textarea
              required
              rows={5}
              className="mono"
              spellCheck={false}
              value={pem}
              onChange={(e) => setPem(e.target.value)}
            />
          </Field>
          {prove.error === null ? null : <ErrorPanel what="Not proved" error={prove.error} />}
          <div>
            <GuardedButton permission="authority.manage" type="submit" busy={prove.isPending}>
              Prove possession
            </GuardedButton>
          </div>
        </form>
      </div>
    </Card>
  );
}
