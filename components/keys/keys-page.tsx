"use client";

import { useQuery } from "@tanstack/react-query";
import { Lock } from "lucide-react";
import dynamic from "next/dynamic";
import { useState } from "react";
import { Callout } from "#components/ui/callout.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Explain } from "#components/ui/explain.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { SkeletonLines } from "#components/ui/skeleton.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { type KeyAct, RepositoryCard } from "./repository-card.tsx";

const RotateDialog = dynamic(() => import("./rotate-dialog.tsx").then((module) => module.RotateDialog));
const UploadSignedDialog = dynamic(() => import("./upload-dialog.tsx").then((module) => module.UploadSignedDialog));
const ReSignDialog = dynamic(() => import("./re-sign-dialog.tsx").then((module) => module.ReSignDialog));
const OfflineDialog = dynamic(() => import("./offline-dialog.tsx").then((module) => module.OfflineDialog));

/** The TUF keys of both repositories: who signs what, until when. */
export function KeysPage() {
  const [act, setAct] = useState<KeyAct | null>(null);
  const { data, error, refetch } = useQuery({
    queryKey: keys.signingKeys.all,
    queryFn: ({ signal }) => api.getKeys(signal),
  });
  return (
    <>
      <PageHead
        title="Keys"
        meta={
          <>
            What devices trust: <Explain term="uptane">metadata</Explain> is signed by these keys, role by role.
          </>
        }
      />
      <div className="grid gap-5">
        {error === null ? null : <ErrorPanel what="The keys" error={error} retry={() => void refetch()} />}
        {data === undefined && error === null ? <SkeletonLines label="The keys are read" lines={12} /> : null}
        {data?.imagesLocked == null ? null : (
          <Callout tone="warn" icon={Lock} title="Images can't be changed from here">
            {data.imagesLocked}
          </Callout>
        )}
        {data?.repositories.map((repository) => (
          <RepositoryCard
            key={repository.repository}
            repository={repository}
            fleet={data.fleet}
            onAct={setAct}
            retry={() => void refetch()}
          />
        ))}
      </div>
      {act === null ? null : <ActDialog act={act} toolsUrl={data?.toolsUrl ?? ""} onClose={() => setAct(null)} />}
    </>
  );
}

function ActDialog({ act, toolsUrl, onClose }: { act: KeyAct; toolsUrl: string; onClose: () => void }) {
  switch (act.do) {
    case "rotate":
      return <RotateDialog repository={act.repository} onClose={onClose} />;
    case "upload":
      return <UploadSignedDialog repository={act.repository} replaces={act.replaces} onClose={onClose} />;
    case "re-sign":
      return <ReSignDialog repository={act.repository} onClose={onClose} />;
    case "offline":
      return <OfflineDialog taken={act.taken} toolsUrl={toolsUrl} onClose={onClose} />;
  }
}
