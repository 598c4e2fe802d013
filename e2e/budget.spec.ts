import { gzipSync } from "node:zlib";
import { expect } from "@playwright/test";
import { test } from "./support/install.ts";
import { settle } from "./support/watch.ts";

const MOST_BYTES = 200_000;

test("the first load of Devices needs at most 200 kB of compressed script", async ({ install }) => {
  const context = await install.open("admin");
  const page = await context.newPage();
  const sizes: Promise<[string, number]>[] = [];
  page.on("response", (response) => {
    if (response.request().resourceType() !== "script") return;
    const encoding = response.headers()["content-encoding"] ?? "none";
    sizes.push(
      response.body().then((body) => {
        // The little ones are not worth compressing.
        if (body.length > 2_000) expect(encoding, response.url()).toMatch(/gzip|br/);
        return [response.url(), gzipSync(body).length];
      }),
    );
  });
  await page.goto("/devices");
  await settle(page);
  // What the browser fetches ahead, for a click that may follow, is no part of the first load.
  const ahead = await page
    .locator("link[rel=prefetch]")
    .evaluateAll((links) => links.map((link) => String(link.getAttribute("href"))));
  const loaded = (await Promise.all(sizes)).filter(([url]) => !ahead.some((href) => url.endsWith(href)));
  const total = loaded.reduce((sum, [, size]) => sum + size, 0);
  expect(loaded.length).toBeGreaterThan(0);
  expect(total, loaded.map(([url, size]) => `${size} ${url}`).join("\n")).toBeLessThanOrEqual(MOST_BYTES);
  await context.close();
});
