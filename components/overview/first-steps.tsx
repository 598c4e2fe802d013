"use client";

import { ArrowRight, Check, Circle } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Card } from "#components/ui/card.tsx";
import { cx } from "#components/ui/cx.ts";
import { type Preference, setPreference } from "#lib/client/preferences.ts";
import type { Overview } from "#lib/contracts/console/overview.ts";

const STEPS: readonly { key: keyof Overview["firstSteps"]; title: string; text: string; href: string }[] = [
  {
    key: "connected",
    title: "Connect a device",
    text: "Issue credentials for a real one, or start a simulated one.",
    href: "/devices?open=connect",
  },
  {
    key: "approved",
    title: "Let it in",
    text: "Credentials issued here are let in at once; a certificate from elsewhere waits under Trust.",
    href: "/trust",
  },
  {
    key: "image",
    title: "Add an image",
    text: "Any file, with a name, a version and the hardware it is for.",
    href: "/images?open=upload",
  },
  { key: "updated", title: "Update it", text: "Launch an update and watch the device prove it.", href: "/updates/new" },
];

/** What a fresh install still lacks, told by what is there. Gone once all of it has been done. */
export function FirstSteps({
  steps,
  preference,
}: {
  steps: Overview["firstSteps"];
  preference: Preference<"firstSteps">;
}) {
  const [hidden, setHidden] = useState(preference === "hidden");
  const done = STEPS.filter(({ key }) => steps[key]).length;
  if (hidden || done === STEPS.length) return null;
  const hide = () => {
    setPreference("firstSteps", "hidden");
    setHidden(true);
  };
  const next = STEPS.find(({ key }) => !steps[key])?.key;
  return (
    <Card
      flush
      title="First steps"
      aside={
        <>
          <span className="num text-sm text-ink-3">{`${done} of ${STEPS.length} done`}</span>
          <Button size="sm" look="quiet" onClick={hide}>
            Hide
          </Button>
        </>
      }
    >
      <ol>
        {STEPS.map(({ key, title, text, href }) => (
          <li key={key} className="border-b border-line last:border-0">
            <Link
              href={href}
              className="grid grid-cols-[20px_minmax(0,1fr)_16px] gap-2.5 px-3.5 py-2.5 outline-offset-[-2px] hover:bg-hover"
            >
              {steps[key] ? (
                <Check aria-label="Done:" className="mt-0.5 size-4 text-ok" />
              ) : (
                <Circle
                  aria-label="To do:"
                  className={cx("mt-0.5 size-4", key === next ? "text-accent" : "text-ink-4")}
                />
              )}
              <span className="min-w-0">
                <span className={cx("font-strong", steps[key] && "text-ink-3")}>{title}</span>
                <span className="text-ink-2"> · {text}</span>
              </span>
              {steps[key] ? null : <ArrowRight aria-hidden className="mt-0.5 size-4 text-ink-3" />}
            </Link>
          </li>
        ))}
      </ol>
    </Card>
  );
}
