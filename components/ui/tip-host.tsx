"use client";

import { useEffect, useRef } from "react";

const GAP = 6;

/**
 * One tip for the whole page: whatever carries `data-tip` shows its text on hover and on keyboard focus. Escape hides it, it stays while
 * the pointer is on it (WCAG 1.4.13), and it costs nothing per element.
 */
export function TipHost() {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const tip = box.current;
    return tip === null ? undefined : attach(tip);
  }, []);
  return (
    <div
      ref={box}
      id="tip"
      role="tooltip"
      hidden
      className="fixed z-[100] max-w-80 rounded-md border border-line-strong bg-raised px-2 py-1 text-sm whitespace-pre-line text-ink wrap-anywhere shadow-float"
    />
  );
}

function attach(tip: HTMLElement): () => void {
  let owner: HTMLElement | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const controller = new AbortController();
  const { signal } = controller;

  const hide = () => {
    clearTimeout(timer);
    owner?.removeAttribute("aria-describedby");
    owner = null;
    tip.hidden = true;
  };
  const show = (element: HTMLElement) => {
    const text = element.dataset.tip;
    if (text === undefined || text === "" || !element.isConnected) return;
    hide();
    owner = element;
    tip.textContent = text;
    if (element.getAttribute("aria-label") !== text) element.setAttribute("aria-describedby", tip.id);
    tip.hidden = false;
    place(tip, element.getBoundingClientRect());
  };
  const ownerOf = (target: EventTarget | null) =>
    target instanceof Element ? target.closest<HTMLElement>("[data-tip]") : null;

  document.addEventListener(
    "pointerover",
    ({ target, pointerType }) => {
      if (pointerType === "touch" || (target instanceof Node && tip.contains(target))) return clearTimeout(timer);
      const element = ownerOf(target);
      if (element !== null && element === owner) return clearTimeout(timer);
      clearTimeout(timer);
      timer = setTimeout(() => (element === null ? hide() : show(element)), element === null ? 120 : 350);
    },
    { signal },
  );
  document.addEventListener(
    "focusin",
    ({ target }) => {
      const element = ownerOf(target);
      if (element?.matches(":focus-visible") === true) show(element);
      else if (owner !== null) hide();
    },
    { signal },
  );
  document.addEventListener("keydown", ({ key }) => key === "Escape" && hide(), { signal });
  document.addEventListener("pointerdown", hide, { signal });
  document.addEventListener("scroll", hide, { signal, capture: true });
  return () => {
    hide();
    controller.abort();
  };
}

function place(tip: HTMLElement, anchor: DOMRect) {
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, anchor.left + anchor.width / 2 - width / 2), window.innerWidth - width - 8);
  const below = anchor.bottom + GAP + height <= window.innerHeight;
  tip.style.left = `${left}px`;
  tip.style.top = `${below ? anchor.bottom + GAP : Math.max(8, anchor.top - GAP - height)}px`;
}
