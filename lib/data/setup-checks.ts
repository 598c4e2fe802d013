import { connect } from "node:net";
import { DEFAULT_NAMESPACE } from "#lib/ctx.ts";
import { isSetUp } from "#services/accounts/service.ts";
import { listKnownAuthorities } from "#services/authorities/service.ts";
import { type Console, getConsole } from "./context.ts";
import { checkReadiness } from "./readiness.ts";

const DOOR_WITHIN_MS = 1_500;

/** One part of a fresh install: whether it works, and if not, what mends it. */
export type SetupCheck = { name: string; ok: boolean; text: string };

/** What whoever sets up should see working. Nothing once there is a user: the page is open to anybody. */
export async function readSetupChecks(): Promise<readonly SetupCheck[]> {
  const { dependencies } = await checkReadiness();
  const down = (name: string) => dependencies[name]?.error ?? null;
  if (down("database") !== null) {
    return [
      {
        name: "Database",
        ok: false,
        text: "It does not answer. See the log of npm start, and DATABASE_URL if it is set.",
      },
    ];
  }
  const it = await getConsole();
  if (await isSetUp(it)) return [];
  const [authorities, doorOpen] = await Promise.all([
    listKnownAuthorities({ db: it.db, namespaceId: DEFAULT_NAMESPACE }),
    isDoorOpen(it),
  ]);
  const failing = ["device_registry", "director", "image_repository"].flatMap((name) => down(name) ?? []);
  return [
    { name: "Database", ok: true, text: "answers" },
    // The console refuses to start with another master key than the one that sealed what is there.
    { name: "Keys", ok: true, text: "the master key opens what is stored" },
    {
      name: "Services",
      ok: failing.length === 0,
      text: failing.length === 0 ? "registry, director and image repository answer" : failing.join(" "),
    },
    {
      name: "Fleet CA",
      ok: authorities.length > 0,
      text: authorities.length > 0 ? "signs device certificates" : "not made yet: the gateway makes it when it starts",
    },
    {
      name: "Device door",
      ok: doorOpen,
      text: doorOpen
        ? `open at ${it.config.gatewayUrl}`
        : `nothing answers at ${it.config.gatewayUrl}. Check GATEWAY_HOST, and GATEWAY_URL if devices use another address.`,
    },
  ];
}

function isDoorOpen(it: Console): Promise<boolean> {
  const { hostname, port } = new URL(it.config.gatewayUrl);
  return new Promise((resolve) => {
    const socket = connect({
      host: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port) || 443,
      timeout: DOOR_WITHIN_MS,
    });
    const end = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
  });
}
