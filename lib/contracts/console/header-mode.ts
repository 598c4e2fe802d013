import { z } from "zod";
import { Instant } from "./common.ts";
import { endpoint } from "./endpoint.ts";

export const HeaderMode = z
  .object({
    publicUrl: z.string().nullable().describe("Where the proxy is tested; null when no proxy is set"),
    state: z
      .enum(["off", "on", "failed"])
      .describe("failed: a forged header was believed; off until a person has it tested again"),
    detail: z.string().nullable().describe("What the last test found"),
    since: Instant.nullable(),
    checkedAt: Instant.nullable().describe("The last test that ended with a verdict"),
  })
  .meta({ id: "HeaderMode" });
export type HeaderMode = z.infer<typeof HeaderMode>;

export const getHeaderMode = endpoint({
  method: "GET",
  path: "/api/v1/header-mode",
  permission: "setting.read",
  summary: "Whether the gateway believes a proxy that says which device asks",
  reply: HeaderMode,
});

export const checkHeaderMode = endpoint({
  method: "POST",
  path: "/api/v1/header-mode/check",
  permission: "backend.administer",
  summary: "Test through the public address, now, that a forged header is not believed",
  body: z.strictObject({}),
  status: 202,
  reply: HeaderMode,
});
