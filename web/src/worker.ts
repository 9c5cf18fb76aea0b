// The service worker: shows what the push service delivers, also while no page of the application is open. It stores and
// intercepts nothing.
import { address, answered, place, type Shown, shown } from './model/notice';

interface Extendable {
  waitUntil(work: Promise<unknown>): void;
}
interface Pushed extends Extendable {
  data: { text(): string } | null;
}
interface Clicked extends Extendable {
  action: string;
  notification: Notification;
}
interface Client {
  url: string;
  focus(): Promise<unknown>;
  navigate(url: string): Promise<unknown>;
}
/** What a service worker has in place of a window. */
interface Scope {
  registration: ServiceWorkerRegistration;
  clients: {
    claim(): Promise<void>;
    matchAll(options: { type: 'window' }): Promise<Client[]>;
    openWindow(url: string): Promise<unknown>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', listener: (event: Extendable) => void): void;
  addEventListener(type: 'push', listener: (event: Pushed) => void): void;
  addEventListener(type: 'notificationclick', listener: (event: Clicked) => void): void;
}
const worker = self as unknown as Scope;

worker.addEventListener('install', (event) => event.waitUntil(worker.skipWaiting()));
worker.addEventListener('activate', (event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener('push', (event) => event.waitUntil(show(shown(event.data?.text() ?? ''))));
worker.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(
    event.action === 'acknowledge' ? acknowledge(event.notification) : open(event.notification.data?.page ?? ''),
  );
});

function show({ title, options }: Shown): Promise<void> {
  return worker.registration.showNotification(title, {
    ...options,
    icon: 'icon-192.png',
    badge: 'icon-192.png',
  } as NotificationOptions);
}

/** Follows the signed link, which needs no login. */
async function acknowledge({ title, data }: Notification): Promise<void> {
  const url = address(worker.registration.scope, data?.acknowledge ?? '');
  const isDone = url
    ? await fetch(url, { method: 'POST', credentials: 'omit', cache: 'no-store' }).then(
        (answer) => answer.ok,
        () => false,
      )
    : false;
  await show(answered(data?.page ?? '', title, isDone));
}

/** Shows a page in a window that is open, or in a new one. */
async function open(page: string): Promise<void> {
  const { scope } = worker.registration;
  const url = place(scope, page);
  const known = (await worker.clients.matchAll({ type: 'window' })).find((client) => client.url.startsWith(scope));
  if (known) {
    // A browser that does not let the window come to the front still shows the page there.
    await known.focus().catch(() => undefined);
    await known.navigate(url);
  } else {
    await worker.clients.openWindow(url);
  }
}
