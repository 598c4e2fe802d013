import { afterAll, beforeAll, expect, it } from "vitest";
import { GET as ready } from "#app/api/health/ready/route.ts";
import { openBlobs } from "#lib/blobs/open.ts";
import { requestCtx } from "#lib/data/context.ts";
import { ensureRepo } from "#services/keyserver/service.ts";
import { createServices } from "#services/main.ts";
import { at } from "#tests/harness/api.ts";
import { startTestConsole, type TestConsole } from "#tests/harness/console.ts";
import { startTestStorage, type TestStorage } from "#tests/harness/s3.ts";

let storage: TestStorage;
let test: TestConsole;
let stop: () => Promise<void>;

beforeAll(async () => {
  storage = await startTestStorage();
  const { endpoint = "", bucket, accessKeyId, secretAccessKey, prefix } = storage.place;
  const settings = { S3_ENDPOINT: endpoint, S3_BUCKET: bucket, S3_ACCESS_KEY_ID: accessKeyId, S3_PREFIX: prefix };
  test = await startTestConsole(settings);
  const ctx = requestCtx(test.console, "services");
  await ensureRepo(ctx, "image");
  await ensureRepo(ctx, "director");
  const blobs = openBlobs(ctx.config, { S3_SECRET_ACCESS_KEY: secretAccessKey });
  const services = createServices(ctx, test.servicesToken, { blobs });
  await services.listen({ host: "127.0.0.1", port: test.servicesPort });
  stop = async () => {
    await services.close();
    blobs.close();
  };
});
afterAll(async () => {
  await stop();
  await test.drop();
});

it("the console is ready as long as the services can use their object storage", async () => {
  const before = await ready();
  expect([before.status, at(await before.json(), "dependencies.object_storage.ok")]).toEqual([200, true]);
  await storage.close();
  const after = await ready();
  const body: unknown = await after.json();
  expect([after.status, at(body, "dependencies.object_storage.ok")]).toEqual([503, false]);
  expect(at(body, "dependencies.image_repository.ok")).toBe(true);
});
