import { MapPinOff } from "lucide-react";
import type { Metadata } from "next";
import { ButtonLink } from "#components/ui/button.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";

export const metadata: Metadata = { title: "Not found" };

export default function NotFound() {
  return (
    <main className="pt-[12vh]">
      <h1 className="sr-only">Not found</h1>
      <EmptyState
        icon={MapPinOff}
        title="There is nothing at this address"
        actions={<ButtonLink href="/">Go to the overview</ButtonLink>}
      >
        What was here may have been deleted, or the link is not complete.
      </EmptyState>
    </main>
  );
}
