// Starts a browser against BASE_URL, or against the build in front of the mock when there is none.
import { chromium } from "playwright-core";
import { serve } from "../mock/serve.mjs";

const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
/** Generous: the machine that runs this may be busy with other tests. */
export const PATIENCE_MS = 20_000;

/** A browser and where to point it; `close` ends both. */
export async function start() {
  const server = process.env.BASE_URL === undefined ? await serve(0) : null;
  const base = process.env.BASE_URL?.replace(/\/$/, "") ?? `http://127.0.0.1:${server.address().port}`;
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS, headless: true });
  return {
    base,
    mocked: server !== null,
    browser,
    async close() {
      await browser.close();
      server?.closeAllConnections();
      await new Promise((done) => (server === null ? done() : server.close(done)));
    },
  };
}

/**
 * A page that remembers what went wrong in it: errors, and refused or failed requests. Notices of new alerts would lie over
 * what a test clicks: they are shown only with `toasts`.
 */
export async function open(session, path, { toasts = false, ...options } = {}) {
  const context = await session.browser.newContext({ viewport: { width: 1360, height: 860 }, colorScheme: "light", ...options });
  if (!toasts) await context.route(/\/alertmanager\/api\/v2\/alerts\?silenced=false/, (route) => route.fulfill({ json: [] }));
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const faults = [];
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => faults.push(`page: ${error.stack ?? error.message}`));
  page.on("response", (response) => {
    if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`);
  });
  await page.goto(session.base + path);
  return { page, faults, close: () => context.close() };
}
