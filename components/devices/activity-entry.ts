import {
  CircleMinus,
  Cpu,
  Download,
  FileCheck,
  HardDriveDownload,
  Link2,
  type LucideIcon,
  Pencil,
  Plug,
  ShieldCheck,
} from "lucide-react";
import type { TimelineEntry } from "#components/ui/timeline.tsx";
import type { Activity } from "#lib/contracts/console/devices.ts";

const ICONS: Record<Activity["kind"], LucideIcon> = {
  connection: Plug,
  certificate: ShieldCheck,
  registration: Cpu,
  assignment: Link2,
  download: Download,
  install: HardDriveDownload,
  report: FileCheck,
  cancel: CircleMinus,
  change: Pencil,
};

export function toTimelineEntry({ id, at, kind, text }: Activity): TimelineEntry {
  return { id, at, icon: ICONS[kind], text };
}
