import { MapPinOff } from "lucide-react";
import { ButtonLink } from "#components/ui/button.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";

/** Inside of the frame: the rail stays where it was. */
export default function NotFoundHere() {
  return (
    <div className="pt-[8vh]">
      <h1 className="sr-only">Not found</h1>
      <EmptyState
        icon={MapPinOff}
        title="There is nothing at this address"
        actions={<ButtonLink href="/overview">Go to the overview</ButtonLink>}
      >
        What was here may have been deleted, or the link is not complete.
      </EmptyState>
    </div>
  );
}
