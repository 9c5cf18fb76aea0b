// Whole journeys in Chromium on a running Tribune with seven services:
//   node web/journeys/run.mjs PROGRAM
// Each leaves pictures in .build/journeys. Fails with what was awaited and never came.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Browser } from './browser.mjs';
import { checkContract } from './contract.mjs';
import { largeJourneys, lastJourneys, readingJourneys, rolloutJourneys } from './journeys.mjs';
import { World } from './world.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const [program, only] = [resolve(process.argv[2]), process.argv[3]];
const axe = join(root, '.build/tools/axe-core/axe_playwright_python/axe.min.js');
const context = {
  pictures: join(root, '.build/journeys'),
  /** The text of axe-core; undefined where it could not be fetched. */
  axe: existsSync(axe) ? readFileSync(axe, 'utf8') : undefined,
};
if (!context.axe) console.error('   axe-core is not there: accessibility is not checked');

const browser = await Browser.start();
let failed = 0;
async function play(world, list) {
  for (const [name, run] of list) {
    if (only && !name.includes(only)) continue;
    const start = Date.now();
    try {
      const notes = await run({ ...context, browser, world });
      console.error(`   ${name}: ${((Date.now() - start) / 1000).toFixed(1)} s${notes ? `, ${notes}` : ''}`);
    } catch (fault) {
      failed += 1;
      console.error(`FAILED ${name}: ${fault.stack}`);
    }
  }
}
try {
  const [world, large] = await Promise.all([
    World.start(program),
    World.start(program, { targets: 10_000, alerts: 5_000 }),
  ]);
  try {
    // Most of the time is spent waiting for what the world does.
    await Promise.all([play(world, rolloutJourneys), play(world, readingJourneys), play(large, largeJourneys)]);
    if (!only) await checkContract(world);
    await play(world, lastJourneys);
  } finally {
    await Promise.all([world.stop(), large.stop()]);
  }
} finally {
  await browser.stop();
}
if (failed > 0) {
  console.error(`${failed} journeys failed`);
  process.exit(1);
}
