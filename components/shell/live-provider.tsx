"use client";

import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { type Live, type LiveState, startLive } from "#lib/client/live.ts";

const LiveContext = createContext<Live | null>(null);
const BEFORE: LiveState = { state: "connecting", heardAt: 0 };

/** Follows the console's events for as long as somebody is signed in. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const queryClient = useQueryClient();
  const [live, setLive] = useState<Live | null>(null);
  useEffect(() => {
    const started = startLive(queryClient);
    setLive(started);
    return started.stop;
  }, [queryClient]);
  return <LiveContext value={live}>{children}</LiveContext>;
}

export function useLive(): LiveState {
  const live = useContext(LiveContext);
  return useSyncExternalStore(live?.subscribe ?? never, live?.snapshot ?? (() => BEFORE), () => BEFORE);
}

function never() {
  return () => {};
}
