import type { Ctx } from "#lib/ctx.ts";

export type RegistryCall = { namespaceId: string; requestId: string };

/** What this area needs of the process: the context, and the device registry behind HTTP. */
export type IdentityCtx = Ctx & {
  readonly backends: {
    readonly registry: {
      createDevice(
        call: RegistryCall,
        device: { uuid: string; deviceName: string; deviceId: string; credentials: string },
      ): Promise<unknown>;
      deleteDevice(call: RegistryCall, uuid: string): Promise<unknown>;
    };
  };
};

export function registryCall(ctx: Ctx): RegistryCall {
  return { namespaceId: ctx.namespaceId, requestId: ctx.requestId };
}
