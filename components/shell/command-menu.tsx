"use client";

import { Dialog } from "@base-ui/react/dialog";
import { useQuery } from "@tanstack/react-query";
import { Command } from "cmdk";
import { BookOpen, Cpu, type LucideIcon, Package, Plus, Search, Upload } from "lucide-react";
import { useRouter } from "next/navigation";
import { useDeferredValue, useState } from "react";
import type { Permission } from "#lib/authz/permissions.ts";
import { can } from "#lib/authz/permissions.ts";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { FLEET, HOUSE } from "./destinations.ts";
import { useMe } from "./me.tsx";

const ACTS: readonly { label: string; href: string; icon: LucideIcon; permission: Permission }[] = [
  { label: "Connect a device", href: "/devices?open=connect", icon: Plus, permission: "device.issue" },
  { label: "Upload an image", href: "/images?open=upload", icon: Upload, permission: "image.upload" },
  { label: "Launch an update", href: "/updates/new", icon: Plus, permission: "update.launch" },
  { label: "Read the API reference", href: "/docs/api", icon: BookOpen, permission: "session.own" },
];

/** ⌘K: places, acts that the role permits, devices and images by name. */
export function CommandMenu({ onClose }: { onClose: () => void }) {
  const router = useRouter();
  const { role } = useMe();
  const [text, setText] = useState("");
  const found = useFound(useDeferredValue(text.trim()));
  const go = (href: string) => {
    onClose();
    router.push(href);
  };
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-veil" />
        <Dialog.Popup
          aria-label="Find or do anything"
          className="fixed top-[10vh] left-1/2 z-50 w-[min(560px,calc(100vw-24px))] -translate-x-1/2 overflow-hidden rounded-xl border border-line-strong bg-raised shadow-float outline-none"
        >
          <Command label="Find or do anything" loop>
            <div className="flex items-center gap-2.5 border-b border-line px-4">
              <Search aria-hidden className="size-4 text-ink-3" />
              <Command.Input
                value={text}
                onValueChange={setText}
                placeholder="Find a device, an image, a page, or something to do"
                className="h-12 flex-1 bg-transparent text-lg outline-none"
              />
            </div>
            <Command.List className="max-h-[50vh] overflow-y-auto p-1.5">
              <Command.Empty className="px-3 py-6 text-center text-ink-3">Nothing of that name.</Command.Empty>
              {found.devices.length === 0 ? null : (
                <Section heading="Devices">
                  {found.devices.map(({ uuid, name }) => (
                    <Entry
                      key={uuid}
                      value={`device ${name} ${uuid} ${text}`}
                      icon={Cpu}
                      label={name}
                      aside={uuid}
                      onSelect={() => go(`/devices/${uuid}`)}
                    />
                  ))}
                </Section>
              )}
              {found.images.length === 0 ? null : (
                <Section heading="Images">
                  {found.images.map(({ filename }) => (
                    <Entry
                      key={filename}
                      value={`image ${filename} ${text}`}
                      icon={Package}
                      label={filename}
                      onSelect={() => go(`/images/${encodeURIComponent(filename)}`)}
                    />
                  ))}
                </Section>
              )}
              <Section heading="Do">
                {ACTS.filter(({ permission }) => can(role, permission)).map(({ label, href, icon }) => (
                  <Entry key={href} value={label} icon={icon} label={label} onSelect={() => go(href)} />
                ))}
              </Section>
              <Section heading="Go to">
                {[...FLEET, ...HOUSE].map(({ label, href, icon }) => (
                  <Entry key={href} value={label} icon={icon} label={label} onSelect={() => go(href)} />
                ))}
              </Section>
            </Command.List>
          </Command>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Section({ heading, children }: { heading: string; children: React.ReactNode }) {
  return (
    <Command.Group
      heading={heading}
      className="[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-sm [&_[cmdk-group-heading]]:text-ink-3"
    >
      {children}
    </Command.Group>
  );
}

type EntryProps = { value: string; icon: LucideIcon; label: string; aside?: string; onSelect: () => void };

function Entry({ value, icon: Icon, label, aside, onSelect }: EntryProps) {
  return (
    <Command.Item
      value={value}
      onSelect={onSelect}
      className="flex h-9 cursor-default items-center gap-2.5 rounded-md px-2.5 data-[selected=true]:bg-hover"
    >
      <Icon aria-hidden className="size-4 text-ink-3" />
      <span className="truncate">{label}</span>
      {aside === undefined ? null : <span className="mono ml-auto truncate text-ink-3 max-sm:hidden">{aside}</span>}
    </Command.Item>
  );
}

/** Asked of the server, because the browser does not have the fleet. */
function useFound(q: string) {
  const params = { q, limit: 5 };
  const enabled = q.length >= 2;
  const devices = useQuery({
    queryKey: keys.devices.list(params),
    queryFn: ({ signal }) => api.listDevices(params, signal),
    enabled,
  });
  const images = useQuery({
    queryKey: keys.images.list(params),
    queryFn: ({ signal }) => api.listImages(params, signal),
    enabled,
  });
  return { devices: (enabled && devices.data?.data) || [], images: (enabled && images.data?.data) || [] };
}
