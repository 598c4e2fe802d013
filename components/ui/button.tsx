import Link from "next/link";
import type { ComponentProps, ReactNode } from "react";
import { cx } from "./cx.ts";

export type ButtonLook = "plain" | "primary" | "danger" | "danger-solid" | "quiet";
type Look = { look?: ButtonLook; size?: "sm" | "md" };

const BASE =
  "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md border font-medium whitespace-nowrap transition-colors duration-75 select-none disabled:opacity-55 aria-disabled:opacity-55 [&>svg]:size-[15px] [&>svg]:shrink-0";
const SIZES = { md: "h-[30px] px-[11px] text-base", sm: "h-[26px] px-[9px] text-sm" };
const LOOKS: Record<ButtonLook, string> = {
  plain: "border-line-strong bg-surface text-ink not-disabled:not-aria-disabled:hover:bg-hover",
  primary: "border-transparent bg-primary text-primary-ink not-disabled:not-aria-disabled:hover:bg-primary-hover",
  danger: "border-bad/35 bg-surface text-bad not-disabled:not-aria-disabled:hover:bg-bad-soft",
  "danger-solid": "border-transparent bg-danger text-white not-disabled:not-aria-disabled:hover:bg-danger-hover",
  quiet:
    "border-transparent bg-transparent text-ink-2 not-disabled:not-aria-disabled:hover:bg-hover not-disabled:not-aria-disabled:hover:text-ink",
};

function look({ look: name = "plain", size = "md" }: Look, extra?: string): string {
  return cx(BASE, SIZES[size], LOOKS[name], extra);
}

type ButtonProps = ComponentProps<"button"> & Look & { busy?: boolean };

/** `busy` keeps its width and its words, says so to assistive technology, and ignores a second click. */
export function Button({ look: name, size, busy = false, className, children, disabled, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled === true || busy}
      aria-busy={busy || undefined}
      className={look({ ...(name && { look: name }), ...(size && { size }) }, className)}
    >
      {busy ? (
        <span aria-hidden className="spin size-3 rounded-full border-2 border-current border-t-transparent" />
      ) : null}
      {children}
    </button>
  );
}

/** A link that looks like a button: for what leads elsewhere. */
export function ButtonLink({ look: name, size, className, ...rest }: ComponentProps<typeof Link> & Look) {
  const classes = look({ ...(name && { look: name }), ...(size && { size }) }, cx("hover:bg-hover", className));
  return <Link {...rest} className={classes} />;
}

type IconButtonProps = Omit<ComponentProps<"button">, "children" | "aria-label"> & {
  label: string;
  icon: ReactNode;
} & Look;

/** A button that shows only an icon; its label is its name and its tip. */
export function IconButton({ label, icon, look: name = "quiet", size = "md", className, ...rest }: IconButtonProps) {
  const square = size === "md" ? "w-[30px] px-0" : "w-[26px] px-0";
  return (
    <button
      type="button"
      data-tip={label}
      {...rest}
      aria-label={label}
      className={look({ look: name, size }, cx(square, className))}
    >
      {icon}
    </button>
  );
}
