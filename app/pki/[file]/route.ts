import { servePkiFile } from "#lib/data/pki.ts";
import { plainRoute } from "#lib/http/route.ts";

const handle = plainRoute(servePkiFile);

export { handle as GET };
