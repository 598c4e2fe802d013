import { handleNextAuth } from "#lib/data/next-auth.ts";
import { plainRoute } from "#lib/http/route.ts";

type Context = { params: Promise<{ nextauth: string[] }> };

const handle = plainRoute((req, context: Context) => handleNextAuth(req, context.params));

export { handle as GET, handle as POST };
