"use client";

import { Plus, X } from "lucide-react";
import { Button, IconButton } from "#components/ui/button.tsx";
import { Field, Select } from "#components/ui/field.tsx";
import { count } from "#lib/client/format.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import type { Image } from "#lib/contracts/console/images.ts";

export type TargetRow = { id: number; hardwareId: string; from: string; to: string };

type TargetRowsProps = {
  rows: readonly TargetRow[];
  images: Page<Image> | undefined;
  onChange: (rows: readonly TargetRow[]) => void;
};

/** For each hardware id: from which image, to which. Only images made for the hardware are offered. */
export function TargetRows({ rows, images, onChange }: TargetRowsProps) {
  const offered = images?.data ?? [];
  const hardware = [...new Set(offered.flatMap(({ hardwareIds }) => hardwareIds))].sort();
  const change = (id: number, part: Partial<TargetRow>) =>
    onChange(rows.map((row) => (row.id === id ? { ...row, ...part } : row)));
  const free = hardware.filter((id) => !rows.some((row) => row.hardwareId === id));
  if (images !== undefined && offered.length === 0) {
    return <p className="text-ink-2">There is no image yet. Upload one under Images; then it can be chosen here.</p>;
  }
  return (
    <div className="grid gap-4">
      {rows.map((row) => {
        const fitting = offered.filter(({ hardwareIds }) => hardwareIds.includes(row.hardwareId));
        return (
          <div
            key={row.id}
            className="grid grid-cols-1 items-end gap-3 sm:grid-cols-[minmax(0,1fr)_minmax(0,1fr)_minmax(0,1.3fr)_30px]"
          >
            <Field label="Hardware">
              <Select
                value={row.hardwareId}
                onChange={(event) => change(row.id, { hardwareId: event.target.value, from: "", to: "" })}
              >
                <option value="">Choose…</option>
                {hardware.map((id) => (
                  <option key={id} value={id} disabled={id !== row.hardwareId && !free.includes(id)}>
                    {id}
                  </option>
                ))}
              </Select>
            </Field>
            <Field label="From">
              <Select
                value={row.from}
                disabled={row.hardwareId === ""}
                onChange={(event) => change(row.id, { from: event.target.value })}
              >
                <option value="">Any version</option>
                {fitting
                  .filter(({ filename }) => filename !== row.to)
                  .map(({ filename }) => (
                    <option key={filename} value={filename}>
                      {filename}
                    </option>
                  ))}
              </Select>
            </Field>
            <Field label="To">
              <Select
                value={row.to}
                disabled={row.hardwareId === ""}
                onChange={(event) => change(row.id, { to: event.target.value })}
              >
                <option value="">Choose an image…</option>
                {fitting.map(({ filename, verification }) => (
                  <option key={filename} value={filename} disabled={verification.state === "mismatch"}>
                    {filename}
                    {verification.state === "mismatch" ? " (bytes differ from what was signed)" : ""}
                  </option>
                ))}
              </Select>
            </Field>
            {rows.length > 1 ? (
              <IconButton
                label="Remove this row"
                icon={<X aria-hidden />}
                onClick={() => onChange(rows.filter(({ id }) => id !== row.id))}
              />
            ) : null}
          </div>
        );
      })}
      <div className="flex flex-wrap items-center gap-3">
        <Button
          size="sm"
          disabled={free.length === 0}
          onClick={() =>
            onChange([...rows, { id: Math.max(...rows.map(({ id }) => id)) + 1, hardwareId: "", from: "", to: "" }])
          }
        >
          <Plus aria-hidden />
          Other hardware too
        </Button>
        {images !== undefined && images.nextCursor !== null ? (
          <span className="text-sm text-ink-3">
            The newest {count(offered.length)} images are offered. Open an older one under Images to update to it.
          </span>
        ) : null}
      </div>
    </div>
  );
}
