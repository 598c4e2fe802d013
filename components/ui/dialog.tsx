"use client";

import { Dialog as Base } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import type { ReactNode, RefObject } from "react";
import { IconButton } from "./button.tsx";
import { cx } from "./cx.ts";

type DialogProps = {
  title: ReactNode;
  description?: ReactNode;
  onClose: () => void;
  children: ReactNode;
  footer?: ReactNode;
  width?: "sm" | "md" | "lg";
  /** Keeps clicks outside from closing: for what is shown once, or half typed. */
  sticky?: boolean;
  closable?: boolean;
  initialFocus?: RefObject<HTMLElement | null>;
};

const WIDTHS = { sm: "sm:w-[420px]", md: "sm:w-[540px]", lg: "sm:w-[760px]" };

/**
 * Rendered while open: mount it to open, unmount to close. Load it lazily (`next/dynamic`) together with what stands in it: it carries
 * the focus trap, and no first paint needs it. On phones it rises from the bottom edge.
 */
export function Dialog({
  title,
  description,
  onClose,
  children,
  footer,
  width = "md",
  sticky = false,
  closable = true,
  initialFocus,
}: DialogProps) {
  return (
    <Base.Root
      open
      disablePointerDismissal={sticky}
      onOpenChange={(open) => {
        if (!open && closable) onClose();
      }}
    >
      <Base.Portal>
        <Base.Backdrop className="fixed inset-0 z-40 bg-veil" />
        <Base.Popup
          {...(initialFocus && { initialFocus })}
          className={cx(
            "fixed z-50 flex max-h-[calc(100dvh-48px)] flex-col border border-line-strong bg-raised shadow-float outline-none",
            "max-sm:inset-x-0 max-sm:bottom-0 max-sm:rounded-t-xl sm:top-[10vh] sm:left-1/2 sm:max-h-[80vh] sm:-translate-x-1/2 sm:rounded-xl",
            WIDTHS[width],
          )}
        >
          <header className="flex items-start gap-3 px-5 pt-4 pb-3">
            <div className="min-w-0 flex-1">
              <Base.Title className="text-lg font-semibold wrap-anywhere">{title}</Base.Title>
              {description === undefined ? null : (
                <Base.Description render={<div />} className="mt-0.5 text-ink-2">
                  {description}
                </Base.Description>
              )}
            </div>
            {closable ? (
              <IconButton
                label="Close"
                data-tip=""
                icon={<X aria-hidden />}
                onClick={onClose}
                className="-mt-1 -mr-2"
              />
            ) : null}
          </header>
          <div className="min-h-0 flex-1 overflow-y-auto px-5 pb-4">{children}</div>
          {footer === undefined ? null : (
            <footer className="flex flex-wrap items-center justify-end gap-2 border-t border-line px-5 py-3">
              {footer}
            </footer>
          )}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}
