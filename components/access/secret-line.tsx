import { Check, Copy } from "lucide-react";
import { Button } from "#components/ui/button.tsx";
import { useCopy } from "#components/ui/digest.tsx";

/** A secret to be taken away, with a button that copies it. */
export function SecretLine({ label, value }: { label: string; value: string }) {
  const { copied, copy } = useCopy();
  return (
    <div className="flex gap-2">
      <input
        readOnly
        aria-label={label}
        value={value}
        onFocus={(event) => event.target.select()}
        className="mono h-8 min-w-0 flex-1 rounded-md border border-control/70 bg-sunken px-2.5"
      />
      <Button onClick={() => copy(value)}>
        {copied ? <Check aria-hidden /> : <Copy aria-hidden />}
        {copied ? "Copied" : "Copy"}
      </Button>
    </div>
  );
}
