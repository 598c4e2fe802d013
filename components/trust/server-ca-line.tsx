"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { AbsoluteTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";

/** The other direction of trust in one line: what devices know the doors by. */
export function ServerCaLine() {
  const { data } = useQuery({
    queryKey: keys.authorities.serverCa,
    queryFn: ({ signal }) => api.getServerCa(signal),
  });
  return (
    <p className="mt-4 text-ink-2">
      Devices know the doors by{" "}
      <Link href="/trust/authorities/server-ca" className="link underline">
        the server CA
      </Link>
      {data === undefined ? (
        "."
      ) : (
        <>
          , valid until <AbsoluteTime at={data.current.notAfter} dateOnly />
          {data.next === null ? "." : "; the next one is prepared."}
        </>
      )}
    </p>
  );
}
