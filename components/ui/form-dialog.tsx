"use client";

import { type ReactNode, useId } from "react";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";
import { FormError } from "./form-error.tsx";

type FormDialogProps = {
  title: ReactNode;
  description?: ReactNode;
  /** The button that sends it. */
  submit: string;
  /** The one that does not. */
  dismiss?: string;
  /** For the button, while something that the browser does not ask for is missing. */
  disabled?: boolean;
  busy: boolean;
  /** What did not happen, should the server refuse: "Not made". */
  refused: string;
  error: unknown;
  /** Those that show their own refusal. */
  fields: readonly string[];
  width?: "sm" | "md" | "lg";
  sticky?: boolean;
  onSubmit: () => void;
  onClose: () => void;
  children: ReactNode;
};

/** A dialog that is a form: its fields, what the server refused, and the two buttons. */
export function FormDialog(props: FormDialogProps) {
  const { title, description, width, sticky, onClose, busy, error } = props;
  const formId = useId();
  return (
    <Dialog
      title={title}
      description={description}
      onClose={onClose}
      {...(width && { width })}
      {...(sticky && { sticky })}
      footer={
        <>
          <Button onClick={onClose}>{props.dismiss ?? "Close"}</Button>
          <Button type="submit" form={formId} look="primary" busy={busy} disabled={props.disabled === true}>
            {props.submit}
          </Button>
        </>
      }
    >
      <form
        id={formId}
        className="grid gap-3.5"
        onSubmit={(event) => {
          event.preventDefault();
          props.onSubmit();
        }}
      >
        {props.children}
        <FormError what={props.refused} error={error} fields={props.fields} />
      </form>
    </Dialog>
  );
}
