import { relayRequest } from "#lib/http/proxy-route.ts";
import { plainRoute } from "#lib/http/route.ts";

const relay = plainRoute(relayRequest);

export { relay as DELETE, relay as GET, relay as PATCH, relay as POST, relay as PUT };
