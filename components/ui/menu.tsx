"use client";

import { Check } from "lucide-react";
import {
  type ComponentProps,
  createContext,
  type KeyboardEvent,
  type ReactNode,
  useContext,
  useEffect,
  useId,
  useRef,
  useState,
} from "react";
import { cx } from "./cx.ts";

export type MenuTriggerProps = Pick<
  ComponentProps<"button">,
  "ref" | "id" | "onClick" | "aria-haspopup" | "aria-expanded" | "aria-controls"
>;

const CloseMenu = createContext<() => void>(() => {});

const ITEM =
  "flex h-[30px] w-full cursor-default items-center gap-2.5 rounded-sm px-2 text-left outline-none select-none hover:bg-hover focus-visible:bg-hover aria-disabled:opacity-55 max-sm:h-10 [&>svg]:size-[15px] [&>svg]:shrink-0 [&>svg]:text-ink-3";

/**
 * A button that opens a list of acts under it, as the WAI-ARIA menu button pattern has it: arrows, Home, End and first letters move, Escape and Tab
 * close, focus goes back. It stays where it stands in the document, so its landmark holds it.
 */
export function Menu({ trigger, children }: { trigger: (props: MenuTriggerProps) => ReactNode; children: ReactNode }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    itemsOf(list.current)[0]?.focus();
    const onPointer = ({ target }: PointerEvent) => {
      if (target instanceof Node && root.current?.contains(target) !== true) setOpen(false);
    };
    document.addEventListener("pointerdown", onPointer);
    return () => document.removeEventListener("pointerdown", onPointer);
  }, [open]);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div ref={root} className="relative flex">
      {trigger({
        ref: button,
        id,
        onClick: () => setOpen(!open),
        "aria-haspopup": "menu",
        "aria-expanded": open,
        "aria-controls": open ? `${id}-menu` : undefined,
      })}
      {open ? (
        <div
          ref={list}
          id={`${id}-menu`}
          role="menu"
          tabIndex={-1}
          aria-labelledby={id}
          onKeyDown={(event) => moveFocus(event, list.current, { close, leave: () => setOpen(false) })}
          className="absolute top-full right-0 z-50 mt-1.5 max-h-[70vh] w-max max-w-[calc(100vw-24px)] min-w-[200px] animate-[float-in_.1s_ease-out] overflow-y-auto rounded-lg border border-line-strong bg-raised p-1 shadow-float max-sm:in-[main]:right-auto max-sm:in-[main]:left-0"
        >
          <CloseMenu value={close}>{children}</CloseMenu>
        </div>
      ) : null}
    </div>
  );
}

type MenuItemProps = { children: ReactNode; onClick: () => void; danger?: boolean; disabled?: boolean };

export function MenuItem({ children, onClick, danger = false, disabled = false }: MenuItemProps) {
  const close = useContext(CloseMenu);
  const choose = () => {
    if (disabled) return;
    close();
    onClick();
  };
  return (
    <button
      type="button"
      role="menuitem"
      tabIndex={-1}
      aria-disabled={disabled || undefined}
      onClick={choose}
      className={cx(ITEM, danger && "text-bad [&>svg]:text-bad")}
    >
      {children}
    </button>
  );
}

type MenuRadioProps = {
  label: string;
  value: string;
  onValueChange: (value: string) => void;
  options: readonly { value: string; label: string; icon: ReactNode }[];
};

/** One of a few; choosing leaves the menu open, so that one sees what it does. */
export function MenuRadio({ label, value, onValueChange, options }: MenuRadioProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is no child that a menu may have
    <div role="group" aria-label={label}>
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          role="menuitemradio"
          tabIndex={-1}
          aria-checked={option.value === value}
          onClick={() => onValueChange(option.value)}
          className={ITEM}
        >
          {option.icon}
          <span className="flex-1">{option.label}</span>
          {option.value === value ? <Check aria-hidden className="text-accent-ink" /> : null}
        </button>
      ))}
    </div>
  );
}

export function MenuLine() {
  return <hr className="mx-1 my-1 border-line" />;
}

function moveFocus(event: KeyboardEvent, list: HTMLElement | null, on: { close: () => void; leave: () => void }) {
  const items = itemsOf(list);
  const at = items.findIndex((item) => item.matches(":focus"));
  const focus = (index: number) => {
    event.preventDefault();
    items.at(index % items.length)?.focus();
  };
  if (event.key === "Escape") {
    event.stopPropagation();
    on.close();
  } else if (event.key === "Tab") on.leave();
  else if (event.key === "ArrowDown") focus(at + 1);
  else if (event.key === "ArrowUp") focus(at - 1);
  else if (event.key === "Home") focus(0);
  else if (event.key === "End") focus(-1);
  else if (/^\p{L}$/u.test(event.key)) {
    const after = [...items.slice(at + 1), ...items.slice(0, at + 1)];
    after.find((item) => item.textContent.trim().toLowerCase().startsWith(event.key.toLowerCase()))?.focus();
  }
}

function itemsOf(list: HTMLElement | null): HTMLElement[] {
  return [...(list?.querySelectorAll<HTMLElement>("[role^=menuitem]") ?? [])];
}
