import { h } from 'preact';

import { getApiV1HistoryEvents, getApiV1RolloutsPlanReport } from '../api/operations';
import type { Rollback } from '../api/types';
import { gist } from '../model/evidence';
import { toneOf, words } from '../model/now';
import { nextStage, standing } from '../model/rollout';
import { absolute } from '../model/time';
import { link } from '../router';
import { Asked } from './asked';
import type { View } from './context';
import { Badge, Card, Copy, Empty, Fault, Loading, Modal, Time } from './parts';
import { Standings } from './rollout-rules';
import { PlanGraph, Services } from './rollout-services';
import { OrderButtons } from './rollouts';
import { Tasks } from './tasks';

/** One plan: its services, why they stand where they stand, and what happened. */
export function RolloutView(view: View & { plan: string }) {
  const { page, plan } = view;
  const { live, now } = page;
  if (live.rollouts === undefined)
    return (
      <div class="view">
        <h1 class="title">{plan}</h1>
        <Loading lines={8} />
      </div>
    );
  const rollout = live.rollouts.find((one) => one.plan === plan);
  if (!rollout) {
    return (
      <div class="view">
        <h1 class="title">{plan}</h1>
        <Empty title={`No plan is called ${plan}.`}>
          <p>
            <a href={link(['rollouts'])}>All plans</a>
          </p>
        </Empty>
      </div>
    );
  }
  const { details } = rollout;
  const lines = standing(rollout, now);
  return (
    <div class="view">
      <header class="title-row">
        <h1 class="title">
          {plan} <Badge tone={toneOf(rollout.state)} text={words(rollout.state)} />
        </h1>
        <span class="quiet">generation {details.generation}</span>
        <OrderButtons view={view} rollout={rollout} />
      </header>
      <Card id="standing" title="Where it stands">
        {lines.length === 0 ? (
          <p>{nextStage(rollout) || 'Nothing is under way.'}</p>
        ) : (
          <ul class="lines">
            {lines.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        )}
        {lines.length > 0 && nextStage(rollout) && rollout.state !== 'rolled_back' ? (
          <p class="quiet">Next: {nextStage(rollout)}</p>
        ) : null}
        {details.todo.length > 0 ? (
          <ul class="todo">
            {details.todo.map((task) => (
              <li key={task}>{task}</li>
            ))}
          </ul>
        ) : null}
      </Card>
      {details.services.length > 1 ? (
        <Card id="graph" title="Services by dependency" wide>
          <PlanGraph services={details.services} now={now} />
        </Card>
      ) : null}
      {details.rollback ? <RollbackCard rollback={details.rollback} view={view} plan={plan} now={now} /> : null}
      <Card id="services" title="Services" wide>
        <Services view={view} rollout={rollout} />
      </Card>
      <Card id="rules" title="Rollback rules" wide>
        <Standings view={view} rollout={rollout} />
      </Card>
      <Card id="history" title="History" wide>
        <History view={view} plan={plan} generation={details.generation} />
      </Card>
    </div>
  );
}

function RollbackCard({ rollback, view, plan, now }: { rollback: Rollback; view: View; plan: string; now: number }) {
  const cause = rollback.causes[0]?.trip;
  const command = rollback.causes[0]?.command;
  const title =
    rollback.valid === true
      ? 'Rolled back and validated'
      : rollback.valid === false
        ? 'Rolled back, not validated'
        : 'Rollback';
  return (
    <Card
      id="rollback"
      title={title}
      wide
      aside={
        <span class="row">
          <Badge tone={rollback.valid === true ? 'good' : 'warn'} text={rollback.id} />
          <button type="button" class="small" onClick={() => showReport(view, plan)}>
            Report
          </button>
        </span>
      }
    >
      {cause ? (
        <p class="cause">
          <b>{cause.name}</b> measured <code>{cause.samples[0]?.value ?? '–'}</code>; it trips at{' '}
          <code>
            {cause.comparison} {cause.threshold}
          </code>
          .{' '}
          <a
            href={link(['query'], {
              'g0.expr': cause.expr,
              'g0.range_input': '15m',
              'g0.end_input': String(Math.round(cause.time / 1000) + 300),
              'g0.tab': 'graph',
            })}
          >
            See the measurements
          </a>{' '}
          {cause.incident ? <a href={link(['evidence'], { incident: cause.incident })}>See the record</a> : null}
        </p>
      ) : null}
      {command ? (
        <p class="cause">
          Ordered by <b>{command.by}</b>
          {command.reason ? `: ${command.reason}` : ''}.
        </p>
      ) : null}
      <ol class="timeline">
        {rollback.timeline.map((step, index) => (
          <li key={`${step.step} ${index}`}>
            <span class="ms">
              {step.ms.toLocaleString('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 })} ms
            </span>
            <b>{step.step}</b> {step.service ? <span>{step.service}</span> : null}{' '}
            <span class="quiet">{step.detail}</span>
            <time dateTime={step.time} title={absolute(Date.parse(step.time))} class="quiet">
              {new Date(step.time).toLocaleTimeString()}
            </time>
          </li>
        ))}
      </ol>
      {rollback.incident && rollback.incident.tasks.length > 0 ? (
        <div>
          <h3>What to do now</h3>
          <ul class="lines">
            {rollback.incident.tasks.map((task) => (
              <li key={task}>{task}</li>
            ))}
          </ul>
        </div>
      ) : null}
      {rollback.valid === null ? null : (
        <div>
          <h3>Tasks</h3>
          <Tasks view={view} plan={plan} rollback={rollback.id} />
        </div>
      )}
      {rollback.timeline.length > 0 ? (
        <p class="quiet">
          Began <Time at={rollback.timeline[0].time} now={now} />.
        </p>
      ) : null}
    </Card>
  );
}

function showReport(view: View, plan: string): void {
  view.store.change({
    dialog: {
      render: () => (
        <Modal title={`Report of the last rollback of ${plan}`} close={() => view.store.change({ dialog: null })}>
          <Asked
            id={plan}
            ask={(signal: AbortSignal) => view.store.client.send(getApiV1RolloutsPlanReport, { plan }, signal)}
            show={({ data, fault, ask }) =>
              fault ? (
                <Fault text={fault} retry={ask} />
              ) : !data ? (
                <Loading lines={8} />
              ) : (
                <div>
                  <p class="row">
                    <Copy text={data.markdown} what="the report, in Markdown" /> <span class="quiet">Markdown</span>
                  </p>
                  <pre class="report" tabIndex={0}>
                    {data.markdown}
                  </pre>
                </div>
              )
            }
          />
        </Modal>
      ),
    },
  });
}

function History({ view, plan, generation }: { view: View; plan: string; generation: number }) {
  return (
    <Asked
      id={`${plan} ${generation}`}
      every={10}
      ask={(signal: AbortSignal) =>
        view.store.client.send(
          getApiV1HistoryEvents,
          { subject: plan, limit: 40, kind: ['deployment', 'decision', 'rollback_step', 'order'] },
          signal,
        )
      }
      show={({ data, fault, ask }) =>
        fault && !data ? (
          <Fault text={fault} retry={ask} />
        ) : !data ? (
          <Loading />
        ) : data.events.length === 0 ? (
          <Empty title="Nothing was recorded about this plan yet." />
        ) : (
          <ul class="events">
            {data.events.map((event) => (
              <li key={String(event.index ?? event.time)}>
                <a href={event.index ? link(['evidence', String(event.index)]) : link(['evidence'])}>
                  <Time at={event.time} now={view.page.now} /> <b>{words(event.kind)}</b> <span>{gist(event)}</span>
                </a>
              </li>
            ))}
          </ul>
        )
      }
    />
  );
}
