"use client";

import { Dialog } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import { IconButton } from "#components/ui/button.tsx";
import { BrandMark } from "./brand.tsx";
import { NavLinks } from "./nav-links.tsx";

/** The rail of phones. */
export function Drawer({ onClose }: { onClose: () => void }) {
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-veil" />
        <Dialog.Popup className="fixed inset-y-0 left-0 z-50 flex w-64 flex-col gap-0.5 border-r border-line bg-sunken px-2 py-3 outline-none">
          <Dialog.Title className="mb-3 flex h-7 items-center gap-2 px-2 font-[650]">
            <BrandMark />
            <span className="flex-1">Gatehouse</span>
            <IconButton label="Close the menu" data-tip="" icon={<X aria-hidden />} onClick={onClose} />
          </Dialog.Title>
          <nav aria-label="Main">
            <NavLinks onFollow={onClose} />
          </nav>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
