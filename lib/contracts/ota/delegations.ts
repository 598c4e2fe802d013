import { z } from "zod";
import { PersonText } from "#lib/contracts/console/common.ts";
import { ImageUri } from "#lib/contracts/ota/reposerver.ts";

/* Delegations as contracts/reposerver-keyserver.md section 4 has them; keys, roles and documents are read by lib/uptane. */

/** Headers that say who asks, never how the connection works. */
const HeaderName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, "is no header name")
  .refine(
    (name) =>
      !/^(?:host|connection|content-length|transfer-encoding|upgrade|te|trailer|expect|keep-alive)$/i.test(name),
    "can't be set",
  );
const FriendlyName = PersonText(80);

/** Body of PUT `…/{name}/remote`. */
export const RemoteDelegation = z.object({
  uri: ImageUri,
  remoteHeaders: z
    .record(
      HeaderName,
      z
        .string()
        .max(8_000)
        .regex(/^[\x20-\x7e]*$/, "may contain printable ASCII characters only"),
    )
    .refine((headers) => Object.keys(headers).length <= 20, "at most 20 headers")
    .nullish(),
  friendlyName: FriendlyName.nullish(),
});

/** Body of PATCH `…/{name}/info`; anything beside the name is refused, not dropped. */
export const PatchDelegationInfo = z.object({ friendlyName: FriendlyName });
