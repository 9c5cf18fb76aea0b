import { h } from 'preact';
import { getApiV1HistoryEvents, getApiV1RolloutsPlanReport } from '../api/operations';
import { Rollback, Rollout, ServiceRollout } from '../api/types';
import { gist } from '../model/evidence';
import { toneOf, words } from '../model/now';
import { dependencyGraph, differs, nextStage, orders, standing } from '../model/rollout';
import { absolute, duration } from '../model/time';
import { link } from '../router';
import { may } from '../state/live';
import { Asked } from './asked';
import { View } from './context';
import { Badge, Card, Copy, Empty, Fault, Input, Loading, Modal, SplitBar, Time } from './parts';
import { askForOrder, OrderButtons } from './rollouts';

const box = { width: 190, height: 76, gapX: 56, gapY: 18 };

/** One plan: its services, why they stand where they stand, and what happened. */
export function RolloutView(view: View & { plan: string }) {
  const { page, plan } = view;
  const { live, now } = page;
  if (live.rollouts === undefined) return <div class="view"><h1 class="title">{plan}</h1><Loading lines={8} /></div>;
  const rollout = live.rollouts.find((one) => one.plan === plan);
  if (!rollout) {
    return <div class="view"><h1 class="title">{plan}</h1>
      <Empty title={`No plan is called ${plan}.`}><p><a href={link(['rollouts'])}>All plans</a></p></Empty></div>;
  }
  const { details } = rollout;
  const lines = standing(rollout, now);
  return <div class="view">
    <header class="title-row">
      <h1 class="title">{plan} <Badge tone={toneOf(rollout.state)} text={words(rollout.state)} /></h1>
      <span class="quiet">generation {details.generation}</span>
      <OrderButtons view={view} rollout={rollout} />
    </header>
    <Card id="standing" title="Where it stands">
      {lines.length === 0 ? <p>{nextStage(rollout) || 'Nothing is under way.'}</p> : <ul class="lines">{lines.map((line) => <li key={line}>{line}</li>)}</ul>}
      {lines.length > 0 && nextStage(rollout) && rollout.state !== 'rolled_back' ? <p class="quiet">Next: {nextStage(rollout)}</p> : null}
      {details.todo.length > 0 ? <ul class="todo">{details.todo.map((task) => <li key={task}>{task}</li>)}</ul> : null}
    </Card>
    <Card id="graph" title="Services by dependency" wide><PlanGraph services={details.services} now={now} /></Card>
    {details.rollback ? <RollbackCard rollback={details.rollback} view={view} plan={plan} now={now} /> : null}
    <Card id="services" title="Services" wide><Services view={view} rollout={rollout} /></Card>
    <Card id="rules" title="Rollback rules" wide><Standings rollout={rollout} now={now} /></Card>
    <Card id="history" title="History" wide><History view={view} plan={plan} generation={details.generation} /></Card>
  </div>;
}

function PlanGraph({ services, now }: { services: readonly ServiceRollout[]; now: number }) {
  const graph = dependencyGraph(services);
  const x = (column: number) => column * (box.width + box.gapX);
  const y = (row: number) => row * (box.height + box.gapY);
  const at = new Map(graph.nodes.map((node) => [node.service.name, node]));
  const size = { width: x(graph.columns) - box.gapX, height: y(graph.rows) - box.gapY };
  return <div class="plan-graph" tabIndex={0} role="group" aria-label="Services, each right of what it depends on">
    <div class="plan-area" style={{ width: `${size.width}px`, height: `${size.height}px` }}>
      <svg width={size.width} height={size.height} aria-hidden="true">
        {graph.edges.map((edge) => {
          const [from, to] = [at.get(edge.from), at.get(edge.to)];
          if (!from || !to) return null;
          const [x1, y1, x2, y2] = [x(from.column) + box.width, y(from.row) + box.height / 2, x(to.column), y(to.row) + box.height / 2];
          const bend = (x2 - x1) / 2;
          return <path key={`${edge.from}-${edge.to}`} d={`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`} />;
        })}
      </svg>
      {graph.nodes.map(({ service, column, row }) => <div class={`node ${service.frozen ? 'bad' : toneOf(service.progress)}`} key={service.name}
        style={{ left: `${x(column)}px`, top: `${y(row)}px`, width: `${box.width}px`, height: `${box.height}px` }}>
        <span class="row"><b>{service.name}</b><Badge tone={toneOf(service.progress)} text={words(service.progress)} /></span>
        <SplitBar candidate={service.candidate} observed={service.observed?.candidate ?? null} />
        <small>{stageText(service, now)}</small>
      </div>)}
    </div>
  </div>;
}

function stageText(service: ServiceRollout, now: number): string {
  if (service.stage === null) return service.depends.length > 0 && service.progress === 'waiting' ? `after ${service.depends.join(', ')}` : `${service.stages} stages`;
  const left = service.bake_ends ? (Date.parse(service.bake_ends) - now) / 1000 : 0;
  return `stage ${service.stage} of ${service.stages}${left > 0 ? `, ${duration(left)} left` : ''}`;
}

function Services({ view, rollout }: { view: View; rollout: Rollout }) {
  const { now, live } = view.page;
  const back = orders(rollout, view.page.now).find((order) => order.verb === 'rollback');
  return <div class="scroll"><table class="stacked"><caption>Services</caption>
    <thead><tr><th>Service</th><th>Traffic of the candidate</th><th>Stage</th><th>Gates</th><th>Routes</th><th><span class="hidden">Orders</span></th></tr></thead>
    <tbody>{rollout.details.services.map((service) => <tr key={service.name}>
      <th scope="row">{service.name}{service.frozen ? <p class="notice bad">{service.frozen}</p> : null}
        {service.lack ? <p class="notice warn">{service.lack}</p> : null}</th>
      <td><SplitBar candidate={service.candidate} observed={service.observed?.candidate ?? null} />
        {differs(service) ? <small class="warn-text">wanted {service.candidate} %, read {service.observed?.candidate} %</small> : null}</td>
      <td>{stageText(service, now)}{service.preflight.length > 0 ? <Preflight view={view} rollout={rollout} service={service} /> : null}</td>
      <td>{service.gates.length === 0 ? <span class="quiet">none</span> : <ul class="gates">{service.gates.map((gate) => <li key={gate.name}>
        <Badge tone={gate.open === null ? 'plain' : gate.open ? 'good' : 'warn'} text={gate.name} title={gate.detail} /> <small>{gate.detail}</small></li>)}</ul>}</td>
      <td><ul class="routes">{service.routes.map((route) => <li key={route.name}>
        <Badge tone={route.up === null ? 'plain' : route.up ? 'good' : 'bad'} text={route.up === null ? 'not read' : route.up ? 'read' : 'not readable'} />
        {' '}<small title={route.name}>{route.name}</small> {route.fault ? <small class="bad-text">{route.fault}</small> : null} <small><Time at={route.read_at} now={now} /></small>
      </li>)}</ul></td>
      <td>{back && may(live, 'order') && service.candidate > 0 ? <button type="button" class="danger small" aria-label={`Roll back ${service.name}`}
        onClick={() => askForOrder(view, rollout, { ...back, consequence: `All traffic of ${service.name} goes to the stable version, now, and so does that of what depends on it.` }, service.name)}>
        Roll back</button> : null}</td>
    </tr>)}</tbody></table></div>;
}

function preflightKey(rollout: Rollout, service: ServiceRollout): string { return `tribune.preflight.${rollout.plan}.${rollout.details.generation}.${service.name}`; }

/** The checks before a rollout, ticked by the person at this browser. */
function Preflight({ view, rollout, service }: { view: View; rollout: Rollout; service: ServiceRollout }) {
  const key = preflightKey(rollout, service);
  const ticked = new Set(JSON.parse(localStorage.getItem(key) ?? '[]') as string[]);
  const close = () => view.store.change({ dialog: null });
  return <button type="button" class="small" onClick={() => view.store.change({
    dialog: {
      render: () => <Modal title={`Before the rollout of ${service.name}`} confirm="Keep" close={close} submit={async (form) => {
        localStorage.setItem(key, JSON.stringify(form.getAll('check').map(String)));
      }}>
        <p class="quiet">What is ticked is kept in this browser, for generation {rollout.details.generation}.</p>
        {service.preflight.map((check, index) => <label class="check" key={check}><Input type="checkbox" name="check" initial={check} isTicked={ticked.has(check)} data-first={index === 0 ? true : undefined} /> {check}</label>)}
      </Modal>,
    },
  })}>Checks {ticked.size}/{service.preflight.length}</button>;
}

function Standings({ rollout, now }: { rollout: Rollout; now: number }) {
  const { rules } = rollout.details;
  if (rules.length === 0) return <Empty title="No rollback rule names this plan."><p class="quiet">Write one with <code>action: {'{'}plan: {rollout.plan}{'}'}</code>.</p></Empty>;
  return <div class="scroll"><table class="stacked"><caption>Rollback rules</caption>
    <thead><tr><th>Rule</th><th>Trips at</th><th>Element</th><th class="number">Value</th><th>Measured</th><th>State</th></tr></thead>
    <tbody>{rules.flatMap((rule) => (rule.elements.length === 0
      ? [<tr key={rule.name}><th scope="row"><a href={link(['rules'], { q: rule.name })}>{rule.name}</a></th><td><code>{rule.trip}</code></td><td colSpan={4} class="quiet">has measured nothing yet</td></tr>]
      : rule.elements.map((element) => <tr key={`${rule.name} ${element.labels}`}>
        <th scope="row"><a href={link(['rules'], { q: rule.name })}>{rule.name}</a></th>
        <td><code>{rule.trip}</code></td><td><code class="wrap">{element.labels}</code></td><td class="number">{element.value ?? '–'}</td>
        <td><Time at={element.at} now={now} />{element.missing_since ? <small class="warn-text"> no data since {absolute(Date.parse(element.missing_since))}</small> : null}</td>
        <td>{element.tripped ? <Badge tone="bad" text="tripped" /> : <Badge tone="good" text="holds" />}</td>
      </tr>)))}</tbody></table></div>;
}

function RollbackCard({ rollback, view, plan, now }: { rollback: Rollback; view: View; plan: string; now: number }) {
  const cause = rollback.causes[0]?.trip;
  const command = rollback.causes[0]?.command;
  const title = rollback.valid === true ? 'Rolled back and validated' : rollback.valid === false ? 'Rolled back, not validated' : 'Rollback';
  return <Card id="rollback" title={title} wide aside={<span class="row"><Badge tone={rollback.valid === true ? 'good' : 'warn'} text={rollback.id} />
    <button type="button" class="small" onClick={() => showReport(view, plan)}>Report</button></span>}>
    {cause ? <p class="cause"><b>{cause.name}</b> measured <code>{cause.samples[0]?.value ?? '–'}</code>; it trips at <code>{cause.comparison} {cause.threshold}</code>.{' '}
      <a href={link(['query'], { 'g0.expr': cause.expr, 'g0.range_input': '15m', 'g0.end_input': String(Math.round(cause.time / 1000) + 300), 'g0.tab': 'graph' })}>See the measurements</a>{' '}
      {cause.incident ? <a href={link(['evidence'], { incident: cause.incident })}>See the record</a> : null}</p> : null}
    {command ? <p class="cause">Ordered by <b>{command.by}</b>{command.reason ? `: ${command.reason}` : ''}.</p> : null}
    <ol class="timeline">{rollback.timeline.map((step, index) => <li key={`${step.step} ${index}`}>
      <span class="ms">{step.ms.toLocaleString('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 })} ms</span>
      <b>{step.step}</b> {step.service ? <span>{step.service}</span> : null} <span class="quiet">{step.detail}</span>
      <time dateTime={step.time} title={absolute(Date.parse(step.time))} class="quiet">{new Date(step.time).toLocaleTimeString()}</time>
    </li>)}</ol>
    {rollback.incident && rollback.incident.tasks.length > 0 ? <div><h3>What to do now</h3><ul class="lines">{rollback.incident.tasks.map((task) => <li key={task}>{task}</li>)}</ul></div> : null}
    {rollback.timeline.length > 0 ? <p class="quiet">Began <Time at={rollback.timeline[0].time} now={now} />.</p> : null}
  </Card>;
}

function showReport(view: View, plan: string): void {
  view.store.change({
    dialog: {
      render: () => <Modal title={`Report of the last rollback of ${plan}`} close={() => view.store.change({ dialog: null })}>
        <Asked id={plan} ask={(signal: AbortSignal) => view.store.client.send(getApiV1RolloutsPlanReport, { plan }, signal)}
          show={({ data, fault, ask }) => (fault ? <Fault text={fault} retry={ask} /> : !data ? <Loading lines={8} />
            : <div><p class="row"><Copy text={data.markdown} what="the report, in Markdown" /> <span class="quiet">Markdown</span></p><pre class="report" tabIndex={0}>{data.markdown}</pre></div>)} />
      </Modal>,
    },
  });
}

function History({ view, plan, generation }: { view: View; plan: string; generation: number }) {
  return <Asked id={`${plan} ${generation}`} every={10}
    ask={(signal: AbortSignal) => view.store.client.send(getApiV1HistoryEvents, { subject: plan, limit: 40, kind: ['deployment', 'decision', 'rollback_step', 'order'] }, signal)}
    show={({ data, fault, ask }) => (fault && !data ? <Fault text={fault} retry={ask} /> : !data ? <Loading /> : data.events.length === 0
      ? <Empty title="Nothing was recorded about this plan yet." />
      : <ul class="events">{data.events.map((event) => <li key={String(event.index ?? event.time)}>
        <a href={event.index ? link(['evidence', String(event.index)]) : link(['evidence'])}>
          <Time at={event.time} now={view.page.now} /> <b>{words(event.kind)}</b> <span>{gist(event)}</span></a>
      </li>)}</ul>)} />;
}
