"use client";

import type { BackendCapability, BackendSummary } from "#lib/contracts/console/back-ends.ts";
import { useLack } from "./use-lack.ts";

/** Says beside a control what a back end lacks for it; nothing when it has it. A control that needs it is `blocked` by `useLack` itself. */
export function LackNote(of: { backend: BackendSummary["id"]; capability: BackendCapability["name"] }) {
  const lack = useLack(of.backend, of.capability);
  return lack === null ? null : (
    <p role="note" className="text-ink-2">
      {lack}
    </p>
  );
}
