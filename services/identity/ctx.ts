import type { RegistryBackend } from "#lib/backends/device-registry.ts";
import type { Ctx } from "#lib/ctx.ts";

/** What this area needs of the process: the context, and the device registry behind HTTP. */
export type IdentityCtx = Ctx & {
  readonly backends: {
    readonly registry: Pick<
      RegistryBackend,
      "createDevice" | "deleteDevice" | "findStaticGroup" | "listStaticGroupsNamed" | "addToGroup" | "setTags"
    >;
  };
};
