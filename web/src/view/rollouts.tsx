import { h } from 'preact';

import { postApiV1RolloutsPlanVerb } from '../api/operations';
import type { Rollout } from '../api/types';
import { toneOf, words } from '../model/now';
import { type Order, orders, standing, withTraffic } from '../model/rollout';
import { link } from '../router';
import { may } from '../state/live';
import type { View } from './context';
import { Badge, Card, Empty, Loading, Modal } from './parts';

/** Every plan, with what it waits for. */
export function RolloutsView({ page }: View) {
  const { rollouts } = page.live;
  return (
    <div class="view">
      <h1 class="title">Rollouts</h1>
      {rollouts === undefined ? (
        <Loading lines={6} />
      ) : rollouts.length === 0 ? (
        <Card id="none" title="No plan">
          <Empty title="No rollout plan is loaded.">
            <p class="quiet">
              Write a plan and name its file in <code>plans:</code> of <code>tribune.yml</code>; then reload with{' '}
              <code>kill -HUP</code> or
              <code>POST /-/reload</code>.
            </p>
          </Empty>
        </Card>
      ) : (
        <ul class="plans">
          {rollouts.map((rollout) => (
            <li key={rollout.plan}>
              <a class={`plan-link ${toneOf(rollout.state)}`} href={link(['rollouts', rollout.plan])}>
                <span class="row">
                  <b>{rollout.plan}</b>
                  <Badge tone={toneOf(rollout.state)} text={words(rollout.state)} />
                  <span class="quiet">generation {rollout.details.generation}</span>
                </span>
                <span class="quiet">
                  {standing(rollout, page.now)[0] ??
                    `${rollout.details.services.length} services, ${withTraffic(rollout).length} with traffic on the candidate`}
                </span>
                <span class="dots" aria-hidden="true">
                  {rollout.details.services.map((one) => (
                    <i key={one.name} class={toneOf(one.progress)} title={`${one.name}: ${words(one.progress)}`} />
                  ))}
                </span>
              </a>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Asks for the reason of an order, says what it will do, and gives it. */
export function askForOrder({ store }: View, rollout: Rollout, order: Order, service?: string): void {
  const close = () => store.change({ dialog: null });
  store.change({
    dialog: {
      render: () => (
        <Modal
          title={`${order.title}: ${service ?? rollout.plan}`}
          confirm={order.title}
          isDangerous={order.isDangerous}
          close={close}
          submit={async (form) => {
            const answer = await store.client.send(postApiV1RolloutsPlanVerb, {
              plan: rollout.plan,
              verb: order.verb,
              reason: String(form.get('reason') ?? ''),
              ...(service ? { service: [service] } : {}),
              ...(order.isWithoutData ? { without_data: 'true' as const } : {}),
            });
            store.say(
              answer.accepted ? `${order.title}: accepted.` : `${order.title}: nothing to do: ${answer.ignored ?? ''}`,
            );
            store.load('rollouts');
          }}
        >
          <p class="consequence">{order.consequence}</p>
          <label>
            Reason, for the record{order.needsReason ? '' : ' (may be empty)'}
            <input name="reason" maxLength={200} autocomplete="off" required={order.needsReason} data-first />
          </label>
        </Modal>
      ),
    },
  });
}

/** The orders that are possible now; for a client without the permission, why there are none. */
export function OrderButtons({ view, rollout }: { view: View; rollout: Rollout }) {
  const possible = orders(rollout, view.page.now);
  if (possible.length === 0) return null;
  if (!may(view.page.live, 'order')) {
    return (
      <p class="quiet allowed">
        You may not give orders here{view.page.live.identity?.name ? '' : ': you are not logged in'}.{' '}
        <a href="#/status/access">Log in</a> as an operator.
      </p>
    );
  }
  return (
    <div class="orders">
      {possible.map((order) => (
        <button
          type="button"
          key={order.title}
          class={order.isDangerous ? 'danger' : ''}
          onClick={() => askForOrder(view, rollout, order)}
        >
          {order.title}
        </button>
      ))}
    </div>
  );
}
