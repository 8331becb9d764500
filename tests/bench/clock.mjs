// What processors did, beside what the clock says.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Gives the page `workedMs()`: the milliseconds that processors have worked for the browser's
 * pages, of all threads. What one contender with one thread takes of it is its time on a machine
 * that does nothing else. Linux alone says it finely enough.
 */
export async function tellWork(browser, page) {
  if (process.platform !== 'linux') return;
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const tasks = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => `/proc/${id}/task`);
  const nanoseconds = (path) => {
    try {
      return Number(readFileSync(path, 'utf8').split(' ')[0]);
    } catch {
      return 0;
    }
  };
  const total = () =>
    tasks.flatMap((folder) => readdirSync(folder).map((thread) => nanoseconds(join(folder, thread, 'schedstat'))));
  await page.exposeFunction('workedMs', () => total().reduce((sum, value) => sum + value, 0) / 1e6);
}
