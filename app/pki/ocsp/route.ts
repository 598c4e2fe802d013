import { serveOcsp } from "#lib/data/pki.ts";
import { plainRoute } from "#lib/http/route.ts";

const handle = plainRoute(serveOcsp);

export { handle as POST };
