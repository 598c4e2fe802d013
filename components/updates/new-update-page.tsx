"use client";

import { useQuery } from "@tanstack/react-query";
import { Lock } from "lucide-react";
import { useRouter } from "next/navigation";
import { useQueryStates } from "nuqs";
import { useState } from "react";
import { useCan } from "#components/shell/me.tsx";
import { Callout } from "#components/ui/callout.tsx";
import { Card } from "#components/ui/card.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { toast } from "#components/ui/toast.tsx";
import { api } from "#lib/client/api.ts";
import { plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { useLaunchUpdate } from "#lib/client/mutations.ts";
import { newUpdateParams } from "#lib/client/update-params.ts";
import type { Image } from "#lib/contracts/console/images.ts";
import { DevicePicker } from "./device-picker.tsx";
import { PlanPreview } from "./plan-preview.tsx";
import { type TargetRow, TargetRows } from "./target-rows.tsx";

/** Images offered at once; the picker says so when there are more. */
export const IMAGES_OFFERED = 200;

/** What, who, a preview of exactly what will happen, and then the launch. */
export function NewUpdatePage() {
  const router = useRouter();
  const allowed = useCan("update.launch");
  const [start] = useQueryStates(newUpdateParams);
  const query = { limit: IMAGES_OFFERED };
  const images = useQuery({
    queryKey: keys.images.list(query),
    queryFn: ({ signal }) => api.listImages(query, signal),
  });
  const [edited, setEdited] = useState<readonly TargetRow[] | null>(null);
  const [typedName, setTypedName] = useState<string | null>(null);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(() => new Set(start.devices));
  const launch = useLaunchUpdate();

  const offered = images.data?.data ?? [];
  const rows = edited ?? beginWith(offered, start.image);
  const targets = Object.fromEntries(
    rows
      .filter(({ hardwareId, to }) => hardwareId !== "" && to !== "")
      .map(({ hardwareId, from, to }) => [hardwareId, from === "" ? { to } : { from, to }]),
  );
  const name = typedName ?? suggestName(rows);
  const body = { name, targets, devices: [...chosen] };
  const ready = name.trim() !== "" && Object.keys(targets).length > 0 && chosen.size > 0;

  if (!allowed) {
    return (
      <>
        <PageHead trail={{ href: "/updates", label: "Updates" }} title="New update" />
        <Callout tone="idle" icon={Lock} title="Your role can't launch updates.">
          This needs the permission update.launch, which the role operator has.
        </Callout>
      </>
    );
  }
  return (
    <>
      <PageHead
        trail={{ href: "/updates", label: "Updates" }}
        title="New update"
        meta="Nothing happens before you launch it; the preview asks the same question the launch will."
      />
      <div className="grid max-w-4xl gap-5">
        {images.error === null ? null : (
          <ErrorPanel what="The images" error={images.error} retry={() => void images.refetch()} />
        )}
        <Card title="What">
          <TargetRows rows={rows} images={images.data} onChange={setEdited} />
        </Card>
        <Card title="Who" flush>
          <DevicePicker hardwareIds={Object.keys(targets)} chosen={chosen} onChange={setChosen} />
        </Card>
        <Card title="Name">
          <Field label="Name of the update" hint="People find it by this name in lists and in the audit log.">
            <Input
              maxLength={200}
              autoComplete="off"
              value={name}
              onChange={(event) => setTypedName(event.target.value)}
            />
          </Field>
        </Card>
        <PlanPreview
          body={body}
          ready={ready}
          missing={missingPart(targets, chosen.size)}
          launching={launch.isPending}
          launchError={launch.error}
          onLaunch={() =>
            launch.mutate(body, {
              onSuccess: (update) => {
                toast.done(
                  `${update.name} launched for ${plural(update.counts.total - update.counts.skipped, "device")}`,
                );
                router.push(`/updates/${update.id}`);
              },
            })
          }
        />
      </div>
    </>
  );
}

/** One row for each hardware id of the image that another page chose; one empty row otherwise. */
function beginWith(images: readonly Image[], filename: string): TargetRow[] {
  const image = images.find((one) => one.filename === filename);
  if (image === undefined) return [{ id: 0, hardwareId: "", from: "", to: "" }];
  return image.hardwareIds.map((hardwareId, id) => ({ id, hardwareId, from: "", to: image.filename }));
}

function suggestName(rows: readonly TargetRow[]): string {
  const files = [...new Set(rows.map(({ to }) => to).filter((to) => to !== ""))];
  return files.join(", ").slice(0, 200);
}

function missingPart(targets: object, devices: number): string {
  if (Object.keys(targets).length === 0) return "Choose hardware and an image first.";
  return devices === 0 ? "Choose the devices." : "Give it a name.";
}
