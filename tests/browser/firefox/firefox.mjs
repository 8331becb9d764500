// Debian's Firefox, driven by WebDriver BiDi. Puppeteer speaks it with a stock Firefox; Playwright
// needs one of its own.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import puppeteer from 'puppeteer-core';

const path = process.env.FIREFOX_PATH ?? '/usr/bin/firefox-esr';
/** For a test's `skip`: why it cannot run here, or false. `cargo xtask test` has a Firefox. */
export const needsFirefox =
  !process.env.FIREFOX_PATH && !existsSync(path) && 'needs Firefox: set FIREFOX_PATH to its program';

/** What the pages of this browser say in English, whatever the machine's language is. */
const PREFERENCES = { 'intl.accept_languages': 'en-US, en', 'ui.prefersReducedMotion': 1 };

/**
 * A Firefox whose pages wait as the harness expects it of Playwright's: Puppeteer's own functions
 * for that compile text in the page, which its policy forbids. `errors` collects what a page throws
 * and what its console says is wrong.
 */
export async function launchFirefox() {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: path,
    headless: true,
    extraPrefsFirefox: PREFERENCES,
  });
  return {
    version: () => browser.version(),
    close: () => browser.close(),
    /** @param {{ viewport?: { width: number, height: number } }} [options] */
    async newPage({ viewport = { width: 1200, height: 900 } } = {}) {
      const page = await browser.newPage();
      await page.setViewport(viewport);
      const errors = [];
      page.on('pageerror', ({ message }) => errors.push(message));
      page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
      const waitForFunction = (isSo, arg) => until(() => page.evaluate(isSo, arg), `${isSo} of ${JSON.stringify(arg)}`);
      const waitForSelector = (selector) =>
        waitForFunction((selector) => document.querySelector(selector)?.checkVisibility() ?? false, selector);
      return Object.assign(page, { errors, waitForFunction, waitForSelector });
    },
  };
}

/** @param {() => Promise<unknown>} isSo @param {string} what @param {number} [limit] ms */
async function until(isSo, what, limit = 60_000) {
  for (const end = Date.now() + limit; Date.now() < end; await delay(50)) {
    if (await isSo()) return;
  }
  assert.fail(`not within ${limit / 1000} s: ${what}`);
}

const text = (page, selector) =>
  page.evaluate((selector) => document.querySelector(selector)?.textContent ?? '', selector);

/** Waits until the text of an element matches. */
export async function says(page, selector, pattern) {
  let said = '';
  const matches = async () => pattern.test((said = await text(page, selector)));
  await until(matches, `${selector} says ${pattern}`).catch(() => assert.match(said, pattern, selector));
}
