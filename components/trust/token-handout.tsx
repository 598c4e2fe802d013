"use client";

import { TriangleAlert } from "lucide-react";
import { useMemo, useState } from "react";
import { encode } from "uqr";
import { Button } from "#components/ui/button.tsx";
import { Callout } from "#components/ui/callout.tsx";
import { CodeLine } from "#components/ui/code-line.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { count } from "#lib/client/format.ts";
import type { EnrolmentHandout, EnrolmentToken } from "#lib/contracts/console/enrolment.ts";

type TokenHandoutProps = { token: EnrolmentToken; handout: EnrolmentHandout; onClose: () => void };

/** Shown once: the server keeps no copy, so leaving is asked about. */
export function TokenHandout({ token, handout, onClose }: TokenHandoutProps) {
  const [leaving, setLeaving] = useState(false);
  const devices = token.usesAllowed === 1 ? "one device" : `${count(token.usesAllowed)} devices`;
  return (
    <Dialog
      title={`Token ${token.description}`}
      onClose={() => setLeaving(true)}
      sticky
      footer={
        leaving ? (
          <>
            <span className="flex-1 text-warn">It can't be shown again. Do you have what you need of it?</span>
            <Button onClick={() => setLeaving(false)}>Show it longer</Button>
            <Button look="primary" onClick={onClose}>
              I have it
            </Button>
          </>
        ) : (
          <Button look="primary" onClick={() => setLeaving(true)}>
            Done
          </Button>
        )
      }
    >
      <div className="grid gap-4">
        <Callout tone="warn" icon={TriangleAlert} title="It is handed out only now">
          Whoever has it can enrol {devices} here, until it is used up, expires or is revoked.
        </Callout>
        <div className="grid gap-1.5">
          <h3>On a bare device with curl and openssl</h3>
          <CodeLine label="Command" code={handout.command} />
          <p className="text-sm text-ink-3">
            The key is made on the device and stays there. Started again after a failure, it goes on with the same key.
          </p>
        </div>
        <div className="grid gap-1.5">
          <h3>The token alone</h3>
          <CodeLine label="Token" code={handout.secret} />
        </div>
        <QrCode text={handout.qrText} />
      </div>
    </Dialog>
  );
}

/** Drawn in the page: the secret goes to no other server. */
function QrCode({ text }: { text: string }) {
  const { size, path } = useMemo(() => {
    const { data } = encode(text, { ecc: "M", border: 4 });
    const cells = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])));
    return { size: data.length, path: cells.join("") };
  }, [text]);
  return (
    <svg
      role="img"
      aria-label="QR code with address, token and the digest of the server's authority"
      viewBox={`0 0 ${size} ${size}`}
      shapeRendering="crispEdges"
      className="w-56 max-w-full justify-self-center rounded-md border border-line"
    >
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
