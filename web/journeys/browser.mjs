// Chromium over the DevTools protocol, through a pipe: no port, and nothing but what Node has.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** How long a condition may take; like the other tests, long enough for a loaded machine. */
const limit = Number(process.env.TRIBUNE_JOURNEY_LIMIT ?? 90_000);

export class Browser {
  static async start() {
    const profile = mkdtempSync(join(tmpdir(), 'tribune-chromium-'));
    const process_ = spawn(
      'chromium',
      [
        '--headless=new',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--hide-scrollbars',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--force-device-scale-factor=1',
        `--user-data-dir=${profile}`,
        '--remote-debugging-pipe',
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
    );
    const browser = new Browser(process_, profile);
    await browser.send('Target.setDiscoverTargets', { discover: true });
    return browser;
  }

  constructor(process_, profile) {
    this.process = process_;
    this.profile = profile;
    this.next = 1;
    this.waiting = new Map();
    this.listeners = [];
    let rest = '';
    process_.stdio[4].setEncoding('utf8');
    process_.stdio[4].on('data', (piece) => {
      const parts = (rest + piece).split('\0');
      rest = parts.pop();
      for (const part of parts) this.received(JSON.parse(part));
    });
    process_.on('exit', (code) => {
      for (const { reject } of this.waiting.values()) reject(new Error(`Chromium ended with ${code}`));
    });
  }

  received(message) {
    if (message.id === undefined) {
      for (const listener of this.listeners) listener(message);
      return;
    }
    const { resolve, reject } = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.error) reject(new Error(message.error.message));
    else resolve(message.result);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  /** A page with storage of its own. */
  async page({ width = 1280, height = 800, isDark = false } = {}) {
    const { browserContextId } = await this.send('Target.createBrowserContext');
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, sessionId, targetId, browserContextId);
    await page.prepare(width, height, isDark);
    return page;
  }

  async stop() {
    await this.send('Browser.close').catch(() => {});
    await new Promise((resolve) => (this.process.exitCode === null ? this.process.once('exit', resolve) : resolve()));
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

export class Page {
  constructor(browser, sessionId, targetId, context) {
    Object.assign(this, { browser, sessionId, targetId, context });
    /** What the page reported: exceptions, messages of the console, violations of the policy. */
    this.problems = [];
    this.requests = [];
    /** Registrations of service workers by their scopes. */
    this.registrations = new Map();
    this.downloads = [];
    browser.listeners.push((message) => {
      if (message.sessionId === sessionId) this.heard(message.method, message.params);
    });
  }

  heard(method, params) {
    if (method === 'Runtime.exceptionThrown') {
      this.problems.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    }
    if (method === 'Runtime.consoleAPICalled' && (params.type === 'error' || params.type === 'assert')) {
      this.problems.push(params.args.map((one) => one.value ?? one.description).join(' '));
    }
    // The server's refusals and an unplugged network are part of journeys; what the policy blocks is not.
    if (method === 'Log.entryAdded' && params.entry.level === 'error' && params.entry.source !== 'network')
      this.problems.push(params.entry.text);
    if (method === 'ServiceWorker.workerRegistrationUpdated')
      for (const one of params.registrations) this.registrations.set(one.scopeURL, one.registrationId);
    if (method === 'Network.requestWillBeSent') this.requests.push(params.request.url);
    if (method === 'Page.loadEventFired') this.isLoaded = true;
  }

  send(method, params) {
    return this.browser.send(method, params, this.sessionId);
  }

  async prepare(width, height, isDark) {
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await this.send(`${domain}.enable`);
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
    await this.dark(isDark);
    await this.browser.send('Browser.grantPermissions', {
      permissions: ['clipboardReadWrite', 'clipboardSanitizedWrite', 'notifications'],
      browserContextId: this.context,
    });
  }

  /** Delivers a message to the service worker of `scope`, as a push service would. */
  async push(scope, text) {
    await this.send('ServiceWorker.enable');
    await until(() => this.registrations.has(scope), `a service worker of ${scope}`);
    await this.send('ServiceWorker.deliverPushMessage', {
      origin: new URL(scope).origin,
      registrationId: this.registrations.get(scope),
      data: text,
    });
  }

  /** The value of an expression in the service worker of `scope`. */
  async inWorker(scope, expression) {
    let worker;
    await until(async () => {
      const { targetInfos } = await this.browser.send('Target.getTargets');
      worker = targetInfos.find(
        (one) => one.type === 'service_worker' && one.url.startsWith(scope) && one.browserContextId === this.context,
      );
      return worker !== undefined;
    }, `the service worker of ${scope} runs`);
    const { sessionId } = await this.browser.send('Target.attachToTarget', {
      targetId: worker.targetId,
      flatten: true,
    });
    const { result, exceptionDetails } = await this.browser.send(
      'Runtime.evaluate',
      { expression, awaitPromise: true, returnByValue: true },
      sessionId,
    );
    await this.browser.send('Target.detachFromTarget', { sessionId });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  dark(isDark) {
    return this.send('Emulation.setEmulatedMedia', {
      features: [
        { name: 'prefers-color-scheme', value: isDark ? 'dark' : 'light' },
        { name: 'prefers-reduced-motion', value: 'reduce' },
      ],
    });
  }

  async open(url) {
    this.isLoaded = false;
    await this.send('Page.navigate', { url });
    await until(() => this.isLoaded, `the page ${url} loads`);
  }

  /** The value of an expression in the page. */
  async value(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits for an expression to be true. */
  wait(expression, what = expression) {
    return until(
      () => this.value(`Boolean(${expression})`),
      what,
      () => this.text(),
    );
  }

  /** Waits for a text to be in sight. */
  sees(text, where = 'body') {
    return this.wait(
      `[...document.querySelectorAll(${JSON.stringify(where)})].some((one) => one.innerText.includes(${JSON.stringify(text)}))`,
      `"${text}" in ${where}`,
    );
  }

  seesNot(text, where = 'body') {
    return this.wait(
      `![...document.querySelectorAll(${JSON.stringify(where)})].some((one) => one.innerText.includes(${JSON.stringify(text)}))`,
      `no "${text}" in ${where}`,
    );
  }

  text() {
    return this.value('document.body.innerText');
  }

  /** The middle of an element that is found by selector and, where given, by a text in its name. */
  async place(selector, name = '') {
    const expression = `(() => {
      const all = [...document.querySelectorAll(${JSON.stringify(selector)})].filter((one) => one.getClientRects().length > 0
        && ((one.getAttribute('aria-label') ?? '') + ' ' + one.innerText + ' ' + (one.title ?? '')).includes(${JSON.stringify(name)}));
      if (all.length === 0) return null;
      all[0].scrollIntoView({ block: 'center', inline: 'center' });
      const box = all[0].getBoundingClientRect();
      return { x: box.x + box.width / 2, y: box.y + box.height / 2, box: { x: box.x, y: box.y, width: box.width, height: box.height } };
    })()`;
    let found = null;
    await until(
      async () => {
        found = await this.value(expression);
        return found !== null;
      },
      `${selector} "${name}"`,
      () => this.text(),
    );
    return found;
  }

  async mouse(type, x, y, more = {}) {
    await this.send('Input.dispatchMouseEvent', {
      type,
      x,
      y,
      button: type === 'mouseMoved' && !more.buttons ? 'none' : 'left',
      clickCount: 1,
      ...more,
    });
  }

  async click(selector, name = '') {
    const { x, y } = await this.place(selector, name);
    await this.mouse('mouseMoved', x, y);
    await this.mouse('mousePressed', x, y);
    await this.mouse('mouseReleased', x, y);
  }

  async drag(fromX, fromY, toX, toY) {
    await this.mouse('mouseMoved', fromX, fromY);
    await this.mouse('mousePressed', fromX, fromY);
    for (let step = 1; step <= 5; step += 1) {
      await this.mouse('mouseMoved', fromX + ((toX - fromX) * step) / 5, fromY + ((toY - fromY) * step) / 5, {
        buttons: 1,
      });
    }
    await this.mouse('mouseReleased', toX, toY);
  }

  /** Presses keys, such as `g r`, `Enter` or `Shift+Tab`, one after the other. */
  async keys(text) {
    for (const part of text.split(' ')) {
      const [key, ...modifiers] = part.split('+').reverse();
      const codes = { Enter: 13, Tab: 9, Escape: 27, ArrowDown: 40, ArrowUp: 38, Backspace: 8 };
      const event = {
        key,
        modifiers: (modifiers.includes('Shift') ? 8 : 0) + (modifiers.includes('Control') ? 2 : 0),
        windowsVirtualKeyCode: codes[key] ?? key.toUpperCase().charCodeAt(0),
        code: codes[key] ? key : undefined,
        text: key === 'Enter' ? '\r' : key.length === 1 && modifiers.length === 0 ? key : undefined,
      };
      await this.send('Input.dispatchKeyEvent', { type: event.text ? 'keyDown' : 'rawKeyDown', ...event });
      await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event, text: undefined });
    }
  }

  /** Types a text where the focus is. */
  type(text) {
    return this.send('Input.insertText', { text });
  }

  /** Replaces the content of a field. */
  async fill(selector, text) {
    await this.click(selector);
    await this.value(`document.querySelector(${JSON.stringify(selector)}).select()`);
    await this.type(text);
  }

  offline(isOffline) {
    return this.send('Network.emulateNetworkConditions', {
      offline: isOffline,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: -1,
    });
  }

  async picture(path, isWhole = false) {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: isWhole });
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, Buffer.from(data, 'base64'));
  }

  async close() {
    await this.browser.send('Target.disposeBrowserContext', { browserContextId: this.context });
  }
}

/** Waits until `test` gives true; fails with what was awaited, and what there was instead. */
export async function until(test, what, context = async () => '') {
  const end = Date.now() + limit;
  while (!(await test())) {
    if (Date.now() > end) throw new Error(`never came: ${what}\n${String(await context()).slice(0, 1500)}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
