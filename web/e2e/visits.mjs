// What the browser tests share: one browser for a file, pages that fail their test when anything goes wrong in them.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach } from "node:test";
import { PATIENCE_MS, open, start } from "./browser.mjs";

/** Registers the hooks of a file of tests. `session` has its values as soon as a test runs. */
export function visits() {
  const session = {};
  let opened;
  let expected = null;
  before(async () => {
    Object.assign(session, await start());
  });
  after(async () => {
    await session.close?.();
  });
  beforeEach(() => {
    expected = null;
  });
  afterEach(async () => {
    const faults = (opened?.faults ?? []).filter((fault) => expected === null || !expected.test(fault));
    await opened?.close();
    opened = undefined;
    assert.deepEqual(faults, [], "the page reported faults");
  });
  return {
    session,
    /** Opens a path; what goes wrong in the page fails the test, unless it is expected. */
    async visit(path, options) {
      opened = await open(session, path, options);
      return opened.page;
    },
    expectFaults(pattern) {
      expected = pattern;
    },
  };
}

/** Waits until `check` returns something true. */
export async function until(check, what) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) assert.fail(`waited in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

export const parameters = (page) => new URL(page.url()).searchParams;
export const path = (page) => new URL(page.url()).pathname;
