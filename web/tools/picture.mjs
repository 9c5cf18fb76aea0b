// Takes a picture of a place of the web application:
//   node web/tools/picture.mjs http://127.0.0.1:9190/ui/#/rollouts/demo FILE [WIDTHxHEIGHT] [TEXT]
// Waits until the page has TEXT, and what was asked for has come.
import { Browser } from '../journeys/browser.mjs';

const [address, file, size = '1200x760', text = ''] = process.argv.slice(2);
const [width, height] = size.split('x').map(Number);
const browser = await Browser.start();
try {
  const page = await browser.page({ width, height });
  await page.open(address);
  await page.wait(`document.querySelector('main h1') && !document.querySelector('main .loading')`, 'the page');
  if (text) await page.sees(text);
  await page.picture(file);
} finally {
  await browser.stop();
}
