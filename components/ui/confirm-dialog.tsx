"use client";

import { type ReactNode, useId, useState } from "react";
import { count } from "#lib/client/format.ts";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";
import { ErrorPanel } from "./error-panel.tsx";
import { Field, Input } from "./field.tsx";

/** From this many things on, the number has to be typed. */
const TYPE_FROM = 10;

type ConfirmDialogProps = {
  title: ReactNode;
  /** What it will touch, and what it will not. */
  children: ReactNode;
  /** Says what the button does: "Revoke 3 certificates". */
  confirm: string;
  danger?: boolean;
  /** How many things it touches. */
  affects?: number;
  /** Something in it speaks against it; that something says what. */
  blocked?: boolean;
  busy: boolean;
  error: unknown;
  onConfirm: () => void;
  onClose: () => void;
};

/** Consequence before commitment. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  const {
    title,
    children,
    confirm,
    danger = true,
    affects = 1,
    blocked = false,
    busy,
    error,
    onConfirm,
    onClose,
  } = props;
  const [typed, setTyped] = useState("");
  const formId = useId();
  const mustType = affects >= TYPE_FROM;
  const ready = !blocked && (!mustType || typed.trim() === String(affects));
  return (
    <Dialog
      title={title}
      onClose={onClose}
      width="sm"
      footer={
        <>
          <Button onClick={onClose}>Keep as it is</Button>
          <Button type="submit" form={formId} look={danger ? "danger-solid" : "primary"} busy={busy} disabled={!ready}>
            {confirm}
          </Button>
        </>
      }
    >
      <form
        id={formId}
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready && !busy) onConfirm();
        }}
      >
        <div className="grid gap-2 text-ink-2">{children}</div>
        {mustType ? (
          <Field label={`Type ${affects} to confirm`} hint={`This touches ${count(affects)} at once.`}>
            <Input
              inputMode="numeric"
              autoComplete="off"
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
            />
          </Field>
        ) : null}
        {error === null || error === undefined ? null : <ErrorPanel what="Not done" error={error} />}
      </form>
    </Dialog>
  );
}
