import AxeBuilder from "@axe-core/playwright";
import { type BrowserContext, expect, type Page } from "@playwright/test";

export type Watch = {
  /** Fails when a page complained, or asked anybody but the console. */
  expectQuiet(): void;
};

/** Listens to all pages of a context: console errors, exceptions, content security violations, requests to elsewhere. */
export function watch(context: BrowserContext, origin: string): Watch {
  const complaints: string[] = [];
  const elsewhere: string[] = [];
  context.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning")
      complaints.push(`${message.page()?.url()}: ${message.text()}`);
  });
  context.on("weberror", (error) => complaints.push(error.error().message));
  context.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:"].includes(url.protocol) && url.origin !== origin) elsewhere.push(request.url());
  });
  return {
    expectQuiet() {
      expect(elsewhere, "requests that left the origin").toEqual([]);
      expect(complaints, "what the pages complained about").toEqual([]);
    },
  };
}

/** Everything is there: no skeleton, no busy table. */
export async function settle(page: Page): Promise<void> {
  await expect(page.locator("main .skeleton, main [aria-busy=true]")).toHaveCount(0);
  await page.evaluate(() => document.fonts.ready.then(() => undefined));
}

export async function expectAccessible(page: Page, what: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"])
    .analyze();
  const found = violations.map(({ id, nodes }) => ({
    id,
    nodes: nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`),
  }));
  expect(found, what).toEqual([]);
}

export async function expectNoSidewaysScroll(page: Page, what: string): Promise<void> {
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(tooWide, `${what}: pixels that stick out`).toBeLessThanOrEqual(0);
}
