const TABS = ["software", "certificate", "hardware", "activity"] as const;
export type DeviceTab = (typeof TABS)[number];

export function parseDeviceTab(text: unknown): DeviceTab {
  return TABS.find((tab) => tab === text) ?? "software";
}
