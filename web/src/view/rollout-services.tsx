import { h } from 'preact';

import type { Rollout, ServiceRollout } from '../api/types';
import { toneOf, words } from '../model/now';
import { dependencyGraph, differs, orders, shareText } from '../model/rollout';
import { duration } from '../model/time';
import { may } from '../state/live';
import type { View } from './context';
import { Badge, Input, Modal, SplitBar, Time } from './parts';
import { askForOrder } from './rollouts';

const box = { width: 190, height: 76, gapX: 56, gapY: 18 };

export function PlanGraph({ services, now }: { services: readonly ServiceRollout[]; now: number }) {
  const graph = dependencyGraph(services);
  const x = (column: number) => column * (box.width + box.gapX);
  const y = (row: number) => row * (box.height + box.gapY);
  const at = new Map(graph.nodes.map((node) => [node.service.name, node]));
  const size = { width: x(graph.columns) - box.gapX, height: y(graph.rows) - box.gapY };
  return (
    <div class="plan-graph" tabIndex={0} role="group" aria-label="Services, each right of what it depends on">
      <div class="plan-area" style={{ width: `${size.width}px`, height: `${size.height}px` }}>
        <svg width={size.width} height={size.height} aria-hidden="true">
          {graph.edges.map((edge) => {
            const [from, to] = [at.get(edge.from), at.get(edge.to)];
            if (!from || !to) return null;
            const [x1, y1, x2, y2] = [
              x(from.column) + box.width,
              y(from.row) + box.height / 2,
              x(to.column),
              y(to.row) + box.height / 2,
            ];
            const bend = (x2 - x1) / 2;
            return (
              <path
                key={`${edge.from}-${edge.to}`}
                d={`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`}
              />
            );
          })}
        </svg>
        {graph.nodes.map(({ service, column, row }) => (
          <div
            class={`node ${service.frozen ? 'bad' : toneOf(service.progress)}`}
            key={service.name}
            style={{ left: `${x(column)}px`, top: `${y(row)}px`, width: `${box.width}px`, height: `${box.height}px` }}
          >
            <span class="row">
              <b>{service.name}</b>
              <Badge tone={toneOf(service.progress)} text={words(service.progress)} />
            </span>
            <SplitBar wanted={service} observed={service.observed} />
            <small>{stageText(service, now)}</small>
          </div>
        ))}
      </div>
    </div>
  );
}

function stageText(service: ServiceRollout, now: number): string {
  if (service.stage === null)
    return service.depends.length > 0 && service.progress === 'waiting'
      ? `after ${service.depends.join(', ')}`
      : `${service.stages} stages`;
  const left = service.bake_ends ? (Date.parse(service.bake_ends) - now) / 1000 : 0;
  return `stage ${service.stage} of ${service.stages}${left > 0 ? `, ${duration(left)} left` : ''}`;
}

export function Services({ view, rollout }: { view: View; rollout: Rollout }) {
  const { now, live } = view.page;
  const back = orders(rollout, view.page.now).find((order) => order.verb === 'rollback');
  return (
    <div class="scroll">
      <table class="stacked">
        <caption>Services</caption>
        <thead>
          <tr>
            <th>Service</th>
            <th>Traffic of the candidate</th>
            <th>Stage</th>
            <th>Gates</th>
            <th>Routes</th>
            <th>
              <span class="hidden">Orders</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rollout.details.services.map((service) => (
            <tr key={service.name}>
              <th scope="row">
                {service.name}
                {service.frozen ? <p class="notice bad">{service.frozen}</p> : null}
                {service.lack ? <p class="notice warn">{service.lack}</p> : null}
              </th>
              <td>
                <SplitBar wanted={service} observed={service.observed} />
                {service.observed && differs(service) ? (
                  <small class="warn-text">
                    wanted {shareText(service)}, read {shareText(service.observed)}
                  </small>
                ) : null}
              </td>
              <td>
                {stageText(service, now)}
                {service.preflight.length > 0 ? <Preflight view={view} rollout={rollout} service={service} /> : null}
              </td>
              <td>
                {service.gates.length === 0 ? (
                  <span class="quiet">none</span>
                ) : (
                  <ul class="gates">
                    {service.gates.map((gate) => (
                      <li key={gate.name}>
                        <Badge
                          tone={gate.open === null ? 'plain' : gate.open ? 'good' : 'warn'}
                          text={gate.name}
                          title={gate.detail}
                        />{' '}
                        <small>{gate.detail}</small>
                      </li>
                    ))}
                  </ul>
                )}
              </td>
              <td>
                <ul class="routes">
                  {service.routes.map((route) => (
                    <li key={route.name}>
                      <Badge
                        tone={route.up === null ? 'plain' : route.up ? 'good' : 'bad'}
                        text={route.up === null ? 'not read' : route.up ? 'read' : 'not readable'}
                      />{' '}
                      <small title={route.name}>{route.name}</small>{' '}
                      {route.fault ? <small class="bad-text">{route.fault}</small> : null}{' '}
                      <small>
                        <Time at={route.read_at} now={now} />
                      </small>
                    </li>
                  ))}
                </ul>
              </td>
              <td>
                {back && may(live, 'order') && service.candidate > 0 ? (
                  <button
                    type="button"
                    class="danger small"
                    aria-label={`Roll back ${service.name}`}
                    onClick={() =>
                      askForOrder(
                        view,
                        rollout,
                        {
                          ...back,
                          consequence: `All traffic of ${service.name} goes to the stable version, now, and so does that of what depends on it.`,
                        },
                        service.name,
                      )
                    }
                  >
                    Roll back
                  </button>
                ) : null}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function preflightKey(rollout: Rollout, service: ServiceRollout): string {
  return `tribune.preflight.${rollout.plan}.${rollout.details.generation}.${service.name}`;
}

/** The checks before a rollout, ticked by the person at this browser. */
function Preflight({ view, rollout, service }: { view: View; rollout: Rollout; service: ServiceRollout }) {
  const key = preflightKey(rollout, service);
  const ticked = new Set(JSON.parse(localStorage.getItem(key) ?? '[]') as string[]);
  const close = () => view.store.change({ dialog: null });
  return (
    <button
      type="button"
      class="small"
      onClick={() =>
        view.store.change({
          dialog: {
            render: () => (
              <Modal
                title={`Before the rollout of ${service.name}`}
                confirm="Keep"
                close={close}
                submit={async (form) => {
                  localStorage.setItem(key, JSON.stringify(form.getAll('check').map(String)));
                }}
              >
                <p class="quiet">
                  What is ticked is kept in this browser, for generation {rollout.details.generation}.
                </p>
                {service.preflight.map((check, index) => (
                  <label class="check" key={check}>
                    <Input
                      type="checkbox"
                      name="check"
                      initial={check}
                      isTicked={ticked.has(check)}
                      data-first={index === 0 ? true : undefined}
                    />{' '}
                    {check}
                  </label>
                ))}
              </Modal>
            ),
          },
        })
      }
    >
      Checks {ticked.size}/{service.preflight.length}
    </button>
  );
}
