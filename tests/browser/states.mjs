// What the page can look like, for tests that go through all of it.
import { idle } from './harness.mjs';

/** The states that a person meets, each from the one before. */
export const states = {
  start: async () => {},
  'options open': async (page) => {
    await page.selectOption('#method', 'integrated_gradients');
    await idle(page);
    await page.$$eval('details', (all) => all.forEach((box) => (box.open = true)));
  },
  'cards open': async (page) => {
    await page.waitForSelector('#method-cards article');
    await page.waitForSelector('#model-card td');
  },
  'two classes': async (page) => {
    await page.selectOption('#question', 'contrast');
    await idle(page);
    await page.selectOption('#question', 'group');
    await idle(page);
  },
  compared: async (page) => {
    await page.click('#compare-go');
    await page.waitForSelector('#compare-grid .ends:not(:empty)');
    await page.waitForFunction(() => document.querySelector('#compare-cancel').checkVisibility() === false);
    await idle(page);
  },
  'attention and heads': async (page) => {
    await page.selectOption('#model', 'builtin-scene-vit');
    await page.waitForSelector('#heads:not([hidden])');
    await idle(page);
    await page.selectOption('#method', 'raw_attention');
    await idle(page);
    await page.click('#heads-go');
    await page.waitForSelector('#heads-found:not([hidden])');
    await idle(page);
  },
  'all layers': async (page) => {
    await page.selectOption('#method', 'grad_cam');
    await idle(page);
    await page.selectOption('#layer', 'all');
    await page.waitForSelector('#strip button');
    await idle(page);
  },
  'fault in the offer': async (page) => {
    await page.fill('#model-url', 'nobody');
    await page.press('#model-url', 'Enter');
    await page.waitForSelector('#offer[data-code]');
  },
  alert: async (page) => {
    await page.setInputFiles('#model-files', { name: 'config.json', mimeType: '', buffer: Buffer.from('{}') });
    await page.waitForSelector('#alert:not([hidden])');
  },
  working: (page) =>
    page.evaluate(() => {
      // The states that pass quickly, as the page shows them.
      for (const id of ['working', 'stop', 'update', 'offer', 'offer-busy']) document.getElementById(id).hidden = false;
    }),
};
