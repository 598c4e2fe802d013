import {
  Cpu,
  Download,
  FileText,
  KeyRound,
  LayoutDashboard,
  type LucideIcon,
  Package,
  Settings,
  ShieldCheck,
  Users,
} from "lucide-react";

export type Destination = { href: string; label: string; icon: LucideIcon; counts?: "pending" | "runningUpdates" };

/** Places of the console in the order of the rail: the fleet, then the house. */
export const FLEET: readonly Destination[] = [
  { href: "/overview", label: "Overview", icon: LayoutDashboard },
  { href: "/devices", label: "Devices", icon: Cpu },
  { href: "/images", label: "Images", icon: Package },
  { href: "/updates", label: "Updates", icon: Download, counts: "runningUpdates" },
  { href: "/trust", label: "Trust", icon: ShieldCheck, counts: "pending" },
];

export const HOUSE: readonly Destination[] = [
  { href: "/keys", label: "Keys", icon: KeyRound },
  { href: "/access", label: "Access", icon: Users },
  { href: "/audit", label: "Audit", icon: FileText },
  { href: "/settings", label: "Settings", icon: Settings },
];
