import type { BackendCapability, BackendGeneration, BackendReport } from "#lib/contracts/console/back-ends.ts";

export const GENERATION_TEXT: Readonly<Record<BackendGeneration, string>> = {
  A: "OTA Connect, generation [A]: services apart from each other",
  B: "OTA Connect, generation [B]: registry and director in one",
  both: "Both generations of OTA Connect, and Gatehouse's extensions",
};

export const BREAKER_TEXT: Readonly<Record<BackendReport["breaker"], string>> = {
  closed: "go through",
  open: "fail at once for some seconds, since it did not answer three times",
  half_open: "the next one finds out whether it answers again",
};

export const CAPABILITY_TEXT: Readonly<Record<BackendCapability["name"], string>> = {
  hibernation: "Devices can be told to sleep",
  events_by_update: "Events of one update can be listed in their second version",
  cancel_in_flight: "Updates are taken back from devices that have fetched them, too",
  scheduled_updates: "Updates can be set for a time",
  device_state: "Tells what each ECU is to install, and keeps signed manifests as evidence",
  uploads_in_parts: "Uploads go on where they broke off",
  image_pages: "Images are listed page by page, with their verification",
  key_rotation: "Rehearses and rotates keys, and signs anew when asked",
  key_states: "Says which of its keys are online",
  targets_key_export: "Hands the private targets key out for credentials of build tools",
  commit_check: "Checks every object of an OSTree commit by itself",
};
