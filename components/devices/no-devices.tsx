"use client";

import { Cpu, Plus } from "lucide-react";
import { GuardedButton } from "#components/shell/me.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";

/** A fresh install. */
export function NoDevices({ onConnect, simulations }: { onConnect: () => void; simulations: boolean }) {
  return (
    <EmptyState
      icon={Cpu}
      title="No device yet"
      actions={
        <GuardedButton permission="device.issue" look="primary" onClick={onConnect}>
          <Plus aria-hidden />
          Connect a device
        </GuardedButton>
      }
    >
      Every device that comes through the door stands here with its software, its certificate and why it is in its
      state.
      {simulations ? " Without hardware at hand, start a simulated one: it speaks the real protocol." : ""}
    </EmptyState>
  );
}
