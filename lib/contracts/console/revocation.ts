import { z } from "zod";
import { Fingerprint } from "./common.ts";
import { endpoint } from "./endpoint.ts";

export const Gateway = z
  .object({
    id: z.uuid(),
    host: z.string().describe("The machine it runs on, as that calls itself"),
    version: z.string(),
    startedAt: z.iso.datetime(),
    connections: z.number().int().describe("Devices' open connections when it was last heard of"),
    silentSeconds: z.number().int().describe("Since it was last heard of; every 5 seconds is usual"),
    isLive: z.boolean().describe("Heard of in the last 15 seconds"),
  })
  .meta({ id: "Gateway" });
export type Gateway = z.infer<typeof Gateway>;

export const InForceAt = Gateway.extend({
  state: z
    .enum(["in_force", "not_yet", "silent"])
    .describe("silent: it has not said so, and is not heard of; it may still let in for staleSeconds"),
  appliedAt: z.iso.datetime().nullable().describe("null where the gateway began after the change, or has not said so"),
  delayMs: z.number().int().nullable().describe("From the decision to appliedAt"),
  connectionsCut: z.number().int(),
}).meta({ id: "InForceAt" });
export type InForceAt = z.infer<typeof InForceAt>;

export const InForce = z
  .object({
    change: z
      .object({ verb: z.string(), at: z.iso.datetime() })
      .nullable()
      .describe("The last one of the certificate or its authority; null when there was none in the last week"),
    staleSeconds: z.number().int().describe("How long a gateway without the database uses what it knows"),
    gateways: z.array(InForceAt),
  })
  .meta({ id: "InForce" });
export type InForce = z.infer<typeof InForce>;

export const MeasuredRevocation = z
  .object({
    tries: z.number().int(),
    failures: z.number().int(),
    lastAt: z.iso.datetime().nullable(),
    lastDelayMs: z.number().int().nullable().describe("Until the slowest gateway refused it"),
    lastProblem: z.string().nullable(),
    worstDelayMs: z.number().int().nullable().describe("Of the last day"),
    lateSince: z.iso.datetime().nullable().describe("Since when it takes longer than a second, or fails"),
  })
  .meta({ id: "MeasuredRevocation" });
export type MeasuredRevocation = z.infer<typeof MeasuredRevocation>;

export const GatewayList = z
  .object({ data: z.array(Gateway), measured: MeasuredRevocation.nullable() })
  .meta({ id: "GatewayList" });
export type GatewayList = z.infer<typeof GatewayList>;

export const Publication = z
  .object({
    publishesHere: z.boolean().describe("false: the authority's key is not here, so its list is published elsewhere"),
    certificateUrl: z.string(),
    crlUrl: z.string().nullable(),
    deltaUrl: z.string().nullable().describe("null while the complete list is short"),
    ocspUrl: z.string().nullable(),
    crl: z
      .object({
        number: z.string(),
        entries: z.number().int(),
        sizeBytes: z.number().int(),
        thisUpdate: z.iso.datetime(),
        nextUpdate: z.iso.datetime(),
      })
      .nullable()
      .describe("null before the first one was asked for"),
    responderUntil: z.iso
      .datetime()
      .nullable()
      .describe("End of the certificate that answers OCSP; null before the first question"),
  })
  .meta({ id: "Publication" });
export type Publication = z.infer<typeof Publication>;

export const getInForce = endpoint({
  method: "GET",
  path: "/api/v1/certificates/{fingerprint}/in-force",
  permission: "certificate.read",
  summary: "Since when the last decision about a certificate is in force at each gateway",
  params: z.strictObject({ fingerprint: Fingerprint }),
  reply: InForce,
});

export const getAuthorityInForce = endpoint({
  method: "GET",
  path: "/api/v1/authorities/{id}/in-force",
  permission: "authority.read",
  summary: "Since when the last decision about an authority is in force at each gateway",
  params: z.strictObject({ id: z.uuid() }),
  reply: InForce,
});

export const listGateways = endpoint({
  method: "GET",
  path: "/api/v1/gateways",
  permission: "setting.read",
  summary:
    "The gateway processes that were heard of in the last ten minutes, and how soon a revocation is in force at them",
  reply: GatewayList,
});

export const getPublication = endpoint({
  method: "GET",
  path: "/api/v1/authorities/{id}/publication",
  permission: "authority.read",
  summary: "What an authority publishes: its revocation list, its certificate and OCSP",
  params: z.strictObject({ id: z.uuid() }),
  reply: Publication,
});
