import { h } from 'preact';

import { figures, findings, isUnderWay, services, words } from '../model/now';
import { nextStage, standing } from '../model/rollout';
import { link } from '../router';
import type { View } from './context';
import { Badge, Card, Empty, Loading, SplitBar, Time } from './parts';

/** What is wrong and what is under way, on one screen. */
export function NowView({ page }: View) {
  const { live, now } = page;
  const found = findings(live);
  const isKnown = live.rollouts !== undefined && live.alerts !== undefined && live.targets !== undefined;
  const moving = (live.rollouts ?? []).filter(isUnderWay);
  const states = services(live.rollouts ?? []);
  return (
    <div class="view">
      <h1 class="title">Now</h1>
      <ul class="figures" aria-label="Overview">
        {figures(live).map((one) => (
          <li key={one.name} class={one.tone}>
            <a href={one.href}>
              <span class="value">{one.value}</span> <span class="name">{one.name}</span>
            </a>
          </li>
        ))}
      </ul>
      {(live.schedules ?? []).length > 0 ? (
        <p class="on-call">
          <a href={link(['oncall'])}>On call</a>{' '}
          {(live.schedules ?? []).map((one) => (
            <span key={one.name}>
              <span class="quiet">{one.name}</span> <b>{one.person ?? 'nobody'}</b>{' '}
            </span>
          ))}
        </p>
      ) : null}
      <div class="columns">
        <Card id="wrong" title="What needs attention">
          {!isKnown ? (
            <Loading />
          ) : found.length === 0 ? (
            <Empty title="Nothing needs attention.">
              <p class="quiet">No rule is violated, no target is down, and the record is intact.</p>
            </Empty>
          ) : (
            <ul class="findings">
              {found.slice(0, 30).map((one) => (
                <li key={`${one.title} ${one.detail}`} class={one.tone}>
                  <a href={one.href}>
                    <b>{one.title}</b>
                    {one.since ? <Time at={one.since} now={now} /> : null}
                    <span>{one.detail}</span>
                  </a>
                </li>
              ))}
              {found.length > 30 ? <li class="quiet">and {found.length - 30} more</li> : null}
            </ul>
          )}
        </Card>
        <Card id="moving" title="Rollouts under way">
          {live.rollouts === undefined ? (
            <Loading />
          ) : moving.length === 0 ? (
            <Empty title="No rollout is under way.">
              {live.rollouts.length === 0 ? (
                <p class="quiet">
                  No plan is loaded. Name plan files in <code>plans:</code> of <code>tribune.yml</code>.
                </p>
              ) : (
                <p class="quiet">
                  Start one with <code>tribune rollout start {live.rollouts[0].plan}</code>, or{' '}
                  <a href={link(['rollouts', live.rollouts[0].plan])}>here</a>.
                </p>
              )}
            </Empty>
          ) : (
            moving.map((rollout) => (
              <div class="moving" key={rollout.plan}>
                <p>
                  <a href={link(['rollouts', rollout.plan])}>
                    <b>{rollout.plan}</b>
                  </a>{' '}
                  <Badge tone="warn" text={words(rollout.state)} />
                </p>
                <p class="quiet">{standing(rollout, now)[0] ?? nextStage(rollout)}</p>
              </div>
            ))
          )}
        </Card>
      </div>
      <Card id="services" title="Services" wide>
        {live.rollouts === undefined ? (
          <Loading />
        ) : states.length === 0 ? (
          <Empty title="No plan has a service." />
        ) : (
          <ul class="service-grid">
            {states.map(({ plan, service, tone }) => (
              <li key={`${plan}/${service.name}`}>
                <a href={link(['rollouts', plan])} class={tone}>
                  <span class="row">
                    <b>{service.name}</b>
                    <Badge tone={tone} text={words(service.progress)} />
                  </span>
                  <SplitBar wanted={service} observed={service.observed} />
                </a>
              </li>
            ))}
          </ul>
        )}
      </Card>
    </div>
  );
}
