import { isIP } from "node:net";
import { resolve } from "node:path";
import { z } from "zod";

const port = (fallback: number) => z.coerce.number().int().min(1).max(65_535).default(fallback);
const seconds = (fallback: number) => z.coerce.number().int().min(1).max(86_400).default(fallback);
const httpUrl = z.url({ protocol: /^https?$/, error: "must be an http:// or https:// address" }).transform(trimSlash);
const hostName = z.string().regex(/^[A-Za-z0-9.:_-]{1,253}$/, "must be a host name or an IP address");

/** Of OTA Connect's contracts. */
const generation = z.enum(["A", "B"]).optional();

const cidr = z.string().refine(isCidr, "must be an IP address or a range like 10.0.0.0/8");

/** Every setting that is no secret. Each has a name scripts rely on; docs and `.env.example` are checked against this schema. */
export const SETTINGS = z.object({
  PORT: port(3000).describe("Console port"),
  HOST: hostName.default("127.0.0.1").describe("Address the console binds"),
  PUBLIC_URL: httpUrl.optional().describe("Address people type; default http://localhost:PORT"),
  PKI_URL: httpUrl
    .optional()
    .describe("Where certificates say that revocation lists and OCSP are, best http://; default <PUBLIC_URL>/pki"),
  DEVICE_DOOR_PORT: port(8443).describe("Device door (mutual TLS)"),
  DEVICE_DOOR_HOST: hostName.default("0.0.0.0").describe("Address the device door binds"),
  TOOLS_DOOR_PORT: port(8444).describe("Tools door (build machines)"),
  TOOLS_DOOR_HOST: hostName.default("0.0.0.0").describe("Address the tools door binds"),
  DECISION_PORT: port(9010).describe("Decision port, health and metrics of the gateway"),
  DECISION_HOST: hostName.default("127.0.0.1").describe("Address the decision port binds"),
  DECISION_SOCKET: z
    .string()
    .regex(/^\/.{1,100}$/, "must be an absolute path of at most 101 characters")
    .optional()
    .describe("Unix socket on which the decision port answers too"),
  DECISION_TLS_CERT: z
    .string()
    .optional()
    .describe("The decision port's certificate chain, PEM file: it then speaks TLS"),
  DECISION_TLS_KEY: z.string().optional().describe("Its key, PEM file"),
  DECISION_TLS_CLIENT_CA: z
    .string()
    .optional()
    .describe("PEM file of the authorities whose certificates proxies must show at the decision port"),
  DECISION_PUBLIC_URL: z
    .url({ protocol: /^https$/, error: "must be an https:// address" })
    .transform(trimSlash)
    .optional()
    .describe("Public address of the proxy that asks about devices; tested before it is believed"),
  SERVICES_PORT: port(9000).describe("Embedded OTA Connect services"),
  SERVICES_HOST: hostName.default("127.0.0.1").describe("Address the services bind"),
  DATA_DIR: z
    .string()
    .default("./data")
    .transform((path) => resolve(path))
    .describe("Folder of database, blobs and secrets"),
  GATEWAY_HOST: list(hostName)
    .default(["localhost", "127.0.0.1"])
    .describe("Names in the doors' certificates, comma separated"),
  GATEWAY_URL: httpUrl
    .optional()
    .describe("What devices are told; default https://<first GATEWAY_HOST>:DEVICE_DOOR_PORT"),
  GATEWAY_REPLICA_URL: httpUrl
    .optional()
    .describe("Where the worker reaches exactly this gateway's device door; default its own address"),
  TOOLS_URL: httpUrl
    .optional()
    .describe("What build tools are told; default https://<first GATEWAY_HOST>:TOOLS_DOOR_PORT"),
  TRUSTED_PROXIES: list(cidr).default([]).describe("Ranges whose forwarding headers count; none by default"),
  ADMISSION_STALE_SECONDS: seconds(30).describe("How long a gateway that lost the database may use what it knows"),
  SIMULATED_DEVICES: z.enum(["on", "off"]).default("on").describe("Whether the console may start simulated devices"),
  ADMIN_EMAIL: z.email().optional().describe("First admin, created unattended together with ADMIN_PASSWORD"),
  DIRECTOR_ALLOW_ECU_REPLACEMENT: z
    .enum(["true", "false"])
    .default("true")
    .transform((text) => text === "true")
    .describe("Whether a device may register another list of ECUs than before"),
  DEVICE_REGISTRY_URL: httpUrl.optional().describe("Back end to use instead of the embedded one"),
  DIRECTOR_URL: httpUrl.optional().describe("Back end to use instead of the embedded one"),
  REPOSERVER_URL: httpUrl.optional().describe("Back end to use instead of the embedded one"),
  KEYSERVER_URL: httpUrl.optional().describe("Back end to use instead of the embedded one"),
  TREEHUB_URL: httpUrl.optional().describe("Back end to use instead of the embedded one"),
  DEVICE_REGISTRY_GENERATION: generation.describe(
    "What an external device registry speaks: A (a host of its own) or B (part of the director); found out by default",
  ),
  DIRECTOR_GENERATION: generation.describe(
    "What an external director speaks: A, or B (with /updates); found out by default",
  ),
  REPOSERVER_GENERATION: generation.describe(
    "What an external image repository speaks: A, or B (paged comments); found out by default",
  ),
  MENDER_URL: httpUrl.optional().describe("Mender server that the gateway stands in front of"),
  MENDER_API_URL: httpUrl.optional().describe("Its management API, when that is at another address"),
  MENDER_DOOR_PORT: z.coerce
    .number()
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe("Port of its own for Mender's devices (mutual TLS)"),
  MENDER_HOST: hostName
    .transform((name) => name.toLowerCase())
    .optional()
    .describe("Name under which the device door is Mender's; one of GATEWAY_HOST"),
  MENDER_USER: z.email().optional().describe("Mender user for the management API, together with MENDER_PASSWORD"),
  MENDER_CA: z.string().optional().describe("PEM file of the authority that signed the Mender server's certificate"),
  MENDER_KEY_MATCH: z
    .enum(["strict", "different"])
    .default("strict")
    .describe("Whether a device must authenticate to Mender with its certificate's own key"),
  MENDER_FORCE: z
    .enum(["on", "off"])
    .default("off")
    .describe("Whether a device that came with this identity before may take a new key without a person at Mender"),
  S3_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "must be the name of a bucket")
    .optional()
    .describe("Bucket that keeps images and OSTree objects, instead of DATA_DIR"),
  S3_ENDPOINT: httpUrl.optional().describe("S3-compatible server; default Amazon's own"),
  S3_REGION: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, "must be a region's name")
    .default("us-east-1")
    .describe("Region of the bucket"),
  S3_ACCESS_KEY_ID: z.string().max(256).optional().describe("Who uses the bucket"),
  S3_FORCE_PATH_STYLE: z
    .enum(["on", "off"])
    .default("on")
    .describe("Bucket in the path, as most compatible servers want it, rather than in the host name"),
  S3_PREFIX: z
    .string()
    .regex(
      /^[A-Za-z0-9._-]{1,100}(\/[A-Za-z0-9._-]{1,100}){0,5}$/,
      "must be words of letters, digits, . _ - joined by /",
    )
    .optional()
    .describe("In front of every key in the bucket"),
  DEVICE_DOOR_CERT: z.string().optional().describe("Own certificate chain of the device door, PEM file"),
  DEVICE_DOOR_KEY: z.string().optional().describe("Its key, PEM file"),
  TOOLS_DOOR_CERT: z.string().optional().describe("Own certificate chain of the tools door, PEM file"),
  TOOLS_DOOR_KEY: z.string().optional().describe("Its key, PEM file"),
  FETCH_PRIVATE: list(cidr)
    .default([])
    .describe("Private ranges that images and delegations may be fetched from; none by default"),
  LOG_LEVEL: z
    .enum(["trace", "debug", "info", "warn", "error"])
    .default("info")
    .describe("Least severe entry that is logged"),
});

export type Settings = z.infer<typeof SETTINGS>;

/** Never logged and never part of a reply; kept apart from the settings so that neither happens by accident. */
export const SECRETS = z.object({
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, "must be a postgresql:// address")
    .optional()
    .describe("PostgreSQL to use instead of the embedded one"),
  NEXTAUTH_SECRET: z.string().min(32, "must have at least 32 characters").optional().describe("Signs session cookies"),
  MASTER_KEY: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits (32 bytes)")
    .optional()
    .describe("Encrypts every private key at rest"),
  SERVICES_TOKEN: z
    .string()
    .min(32, "must have at least 32 characters")
    .optional()
    .describe("Opens the embedded services"),
  DECISION_SECRET: z
    .string()
    .min(32, "must have at least 32 characters")
    .optional()
    .describe("Opens the decision port"),
  BACKEND_TOKEN: z.string().optional().describe("Sent to external back ends as a bearer token"),
  MENDER_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]{1,8192}$/, "must be a token without spaces")
    .optional()
    .describe("Personal access token for Mender's management API"),
  MENDER_PASSWORD: z.string().min(1).max(1_024).optional().describe("Password of MENDER_USER"),
  S3_SECRET_ACCESS_KEY: z.string().min(1).max(1_024).optional().describe("Key of S3_ACCESS_KEY_ID"),
  ADMIN_PASSWORD: z.string().min(12, "must have at least 12 characters").optional().describe("Password of ADMIN_EMAIL"),
});

export type SecretValues = z.infer<typeof SECRETS>;
export type SecretName = keyof SecretValues;

function list<T extends z.ZodType<string>>(item: T) {
  return z.preprocess(
    (value) =>
      typeof value === "string"
        ? value
            .split(",")
            .map((part) => part.trim())
            .filter((part) => part !== "")
        : value,
    z.array(item).max(50),
  );
}

function trimSlash(url: string): string {
  return url.replace(/\/+$/, "");
}

function isCidr(text: string): boolean {
  const [address = "", bits, ...rest] = text.split("/");
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  if (bits === undefined) return true;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}
