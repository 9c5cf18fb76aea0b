import { h } from 'preact';
import {
  deleteApiV1OncallBrowsersBrowser,
  getApiV1OncallBrowsers,
  getApiV1OncallPeople,
  postApiV1OncallBrowsers,
} from '../api/operations';
import type { NotifiedBrowser } from '../api/types';
import { browserName, bytes, isSame, subscribed } from '../model/push';
import { may } from '../state/live';
import { Asked } from './asked';
import type { View } from './context';
import { Empty, Fault, Input, Loading, Modal, Time } from './parts';

/** The id of this browser, which only the server knows how to find otherwise. */
const own = 'tribune.browser';

/** The browsers that are notified of calls, and the button that adds this one. */
export function Browsers({ view }: { view: View }) {
  const ask = async (signal: AbortSignal) => {
    const { client } = view.store;
    const [{ key, browsers }, { people }] = await Promise.all([
      client.send(getApiV1OncallBrowsers, {}, signal),
      client.send(getApiV1OncallPeople, {}, signal),
    ]);
    return { key, browsers, people: people.filter((one) => one.contacts.some((contact) => contact.push)) };
  };
  return (
    <Asked
      id="browsers"
      every={30}
      ask={ask}
      show={({ data, fault, ask: again }) => {
        if (fault && !data) return <Fault text={fault} retry={again} />;
        if (!data) return <Loading lines={2} />;
        if (!data.key || data.people.length === 0) {
          return (
            <Empty title="Nobody is called in a browser.">
              <p class="quiet">
                A contact <code>{'{push: true}'}</code> of a person in <code>oncall.yml</code> calls in the browser of a
                phone.
              </p>
            </Empty>
          );
        }
        const { key } = data;
        const names = data.people.map((one) => one.name);
        const isAdded = data.browsers.some((one) => one.browser === localStorage.getItem(own));
        return (
          <div>
            <ul class="lines">{data.browsers.map((one) => line(view, one, again))}</ul>
            {data.browsers.length === 0 ? <p class="quiet">No browser is notified yet.</p> : null}
            {isAdded || !may(view.page.live, 'silence') ? null : (
              <p>
                {obstacle() ? (
                  <span class="quiet">{obstacle()}</span>
                ) : (
                  <button type="button" onClick={() => askToAdd(view, key, names, again)}>
                    Notify this browser
                  </button>
                )}
              </p>
            )}
          </div>
        );
      }}
    />
  );
}

function line(view: View, browser: NotifiedBrowser, again: () => void) {
  const isThis = browser.browser === localStorage.getItem(own);
  return (
    <li key={browser.browser} class="row">
      <span class="grow">
        <b>{browser.person}</b> {browser.name || browser.browser}
        {isThis ? ', this browser' : ''}{' '}
        <span class="quiet">
          by {browser.service}, since <Time at={browser.at} now={view.page.now} />
        </span>
      </span>
      {may(view.page.live, 'silence') ? (
        <button
          type="button"
          class="small"
          aria-label={`Remove ${browser.name || browser.browser} of ${browser.person}`}
          onClick={() => askToRemove(view, browser, again)}
        >
          Remove
        </button>
      ) : null}
    </li>
  );
}

/** Why this browser cannot be notified; undefined if it can. */
function obstacle(): string | undefined {
  if (!window.isSecureContext) return 'This browser can be notified where the address begins with https://.';
  if (!('serviceWorker' in navigator)) return 'This browser has no service workers.';
  // On an iPhone only applications on the home screen have it.
  if (!('PushManager' in window))
    return 'This browser takes no messages. On an iPhone, add this page to the home screen.';
  return undefined;
}

function askToAdd(view: View, key: string, people: string[], again: () => void): void {
  const { store } = view;
  const close = () => store.change({ dialog: null });
  store.change({
    dialog: {
      render: () => (
        <Modal
          title="Notify this browser"
          confirm="Notify"
          close={close}
          submit={async (form) => {
            const subscription = await subscribe(key);
            const added = await store.client.send(postApiV1OncallBrowsers, {
              ...subscription,
              person: String(form.get('person')),
              name: String(form.get('name')),
            });
            localStorage.setItem(own, added.browser);
            store.say('This browser is notified.');
            again();
          }}
        >
          <p class="consequence">Calls to this person are shown here, also while this page is not open.</p>
          <label>
            Calls to{' '}
            <select name="person" required>
              {people.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
          <label>
            Name of this browser{' '}
            <Input name="name" initial={browserName(navigator.userAgent)} maxLength={50} autocomplete="off" />
          </label>
        </Modal>
      ),
    },
  });
}

/** Asks the person, then the push service of the browser. */
async function subscribe(key: string) {
  if ((await Notification.requestPermission()) !== 'granted') {
    throw new Error('This browser does not let the page notify you. Allow it in the settings of the browser.');
  }
  const registration = await navigator.serviceWorker.register('worker.js', { scope: './' });
  await navigator.serviceWorker.ready;
  const wanted = bytes(key);
  let subscription = await registration.pushManager.getSubscription();
  const known = subscription?.options.applicationServerKey;
  // Messages of a server with another key would be refused.
  if (subscription && known && !isSame(new Uint8Array(known), wanted)) {
    await subscription.unsubscribe();
    subscription = null;
  }
  subscription ??= await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: wanted });
  const json = subscription.toJSON();
  const result = subscribed({ endpoint: subscription.endpoint, keys: json.keys });
  if (!result) throw new Error('This browser gives no keys for its messages.');
  return result;
}

function askToRemove(view: View, browser: NotifiedBrowser, again: () => void): void {
  const { store } = view;
  const close = () => store.change({ dialog: null });
  store.change({
    dialog: {
      render: () => (
        <Modal
          title={`Remove ${browser.name || browser.browser}`}
          confirm="Remove"
          close={close}
          submit={async () => {
            await store.client.send(deleteApiV1OncallBrowsersBrowser, { browser: browser.browser });
            if (browser.browser === localStorage.getItem(own)) {
              localStorage.removeItem(own);
              const registration = await navigator.serviceWorker?.getRegistration('./');
              await (await registration?.pushManager?.getSubscription())?.unsubscribe();
            }
            store.say('The browser is not notified any more.');
            again();
          }}
        >
          <p class="consequence">Calls to {browser.person} are not shown there any more.</p>
        </Modal>
      ),
    },
  });
}
