import { requestCtx } from "#lib/data/context.ts";
import { ensureRepo } from "#services/keyserver/service.ts";
import { createServices } from "#services/main.ts";
import type { TestConsole } from "./console.ts";

/** The embedded services, where the test console looks for its back ends. */
export async function startTestServices(test: TestConsole): Promise<() => Promise<void>> {
  const ctx = requestCtx(test.console, "services");
  await ensureRepo(ctx, "image");
  await ensureRepo(ctx, "director");
  const app = createServices(ctx, test.servicesToken);
  await app.listen({ host: "127.0.0.1", port: test.servicesPort });
  return () => app.close();
}
