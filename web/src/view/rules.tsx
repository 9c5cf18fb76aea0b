import { Component, h } from 'preact';
import type { Rule, RuleGroup } from '../api/types';
import { ruleGroups, ruleState } from '../model/lists';
import type { Tone } from '../model/now';
import { duration } from '../model/time';
import { link } from '../router';
import type { View } from './context';
import { Badge, Card, Copy, Empty, Labels, Loading, Time } from './parts';
import { RuleGraph } from './rule-graph';

const tones: { [state: string]: Tone } = {
  failing: 'bad',
  tripped: 'bad',
  firing: 'bad',
  pending: 'warn',
  healthy: 'good',
  recording: 'plain',
};
const ranges: readonly [string, number][] = [
  ['1h', 3600],
  ['24h', 86_400],
  ['7d', 604_800],
];

/** Rules by group, with their state; a rule unfolds to its measurements and the instants at which it would have tripped. */
export class RulesView extends Component<View, { open: string; range: number }> {
  state = { open: '', range: 3600 };

  render() {
    const { store, page } = this.props;
    const { live, place, now } = page;
    const search = place.parameters.get('q') ?? '';
    const state = place.parameters.get('state') ?? '';
    const set = (parts: { q?: string; state?: string }) =>
      store.replace(link(['rules'], { q: search, state, ...parts }));
    const groups = ruleGroups(live.groups ?? [], search, state);
    return (
      <div class="view">
        <header class="title-row">
          <h1 class="title">Rules</h1>
          <label class="search">
            <span class="hidden">Search rules</span>
            <input
              type="search"
              data-search
              placeholder="Search: name, expression, label"
              value={search}
              onInput={(event: any) => set({ q: event.target.value })}
            />
          </label>
          <label>
            State{' '}
            <select value={state} onChange={(event: any) => set({ state: event.target.value })}>
              {['', 'tripped', 'firing', 'pending', 'failing', 'healthy', 'recording'].map((one) => (
                <option key={one} value={one}>
                  {one === '' ? 'any' : one}
                </option>
              ))}
            </select>
          </label>
        </header>
        {live.groups === undefined ? (
          <Loading lines={8} />
        ) : live.groups.length === 0 ? (
          <Card id="none" title="No rule">
            <Empty title="No rule is loaded.">
              <p class="quiet">
                Name rule files in <code>rule_files:</code> of <code>prometheus.yml</code> and reload.
              </p>
            </Empty>
          </Card>
        ) : groups.length === 0 ? (
          <Card id="none" title="No rule">
            <Empty title="No rule meets this search.">
              <button type="button" onClick={() => set({ q: '', state: '' })}>
                Show all
              </button>
            </Empty>
          </Card>
        ) : (
          groups.map((group) => this.group(group, now))
        )}
      </div>
    );
  }

  private group(group: RuleGroup, now: number) {
    const id = `group-${group.file}-${group.name}`.replace(/[^\w-]/g, '-');
    return (
      <Card
        key={id}
        id={id}
        title={group.name}
        wide
        aside={
          <span class="quiet small-text" title={group.file}>
            every {duration(group.interval)} · {duration(group.evaluationTime)} ·{' '}
            <Time at={group.lastEvaluation} now={now} />
          </span>
        }
      >
        <ul class="rules">{group.rules.map((rule) => this.rule(group, rule, now))}</ul>
      </Card>
    );
  }

  private rule(group: RuleGroup, rule: Rule, now: number) {
    const key = `${group.file};${group.name};${rule.name};${rule.query}`;
    const isOpen = this.state.open === key;
    const state = ruleState(rule);
    const kind = rule.rollback
      ? `rollback rule, ${rule.rollback.mode}`
      : rule.type === 'recording'
        ? 'recording rule'
        : 'alert';
    return (
      <li key={key} class={isOpen ? 'open' : ''}>
        <button
          type="button"
          class="rule-head"
          aria-expanded={String(isOpen)}
          onClick={() => this.setState({ open: isOpen ? '' : key })}
        >
          <Badge
            tone={tones[state]}
            text={state === 'pending' && rule.rollback ? `streak ${rule.rollback.streak}` : state}
          />
          <b>{rule.name}</b>{' '}
          <span class="quiet">
            {kind}
            {rule.rollback ? `, trips at ${rule.rollback.trip}` : ''}
          </span>
          <span class="quiet right">
            {duration(rule.evaluationTime)} · <Time at={rule.lastEvaluation} now={now} />
          </span>
        </button>
        {rule.lastError ? <p class="notice bad">{rule.lastError}</p> : null}
        {isOpen ? (
          <div class="rule-body">
            <p class="row">
              <code class="wrap">{rule.query}</code> <Copy text={rule.query} what="the expression" />
              <a href={link(['query'], { 'g0.expr': rule.query, 'g0.range_input': '1h', 'g0.tab': 'graph' })}>Query</a>
            </p>
            {Object.keys(rule.labels).length > 0 ? <Labels labels={rule.labels} /> : null}
            {rule.annotations?.['summary'] ? <p>{rule.annotations['summary']}</p> : null}
            <span class="group" role="group" aria-label="Range of the graph">
              {ranges.map(([name, seconds]) => (
                <button
                  type="button"
                  key={name}
                  aria-pressed={String(this.state.range === seconds)}
                  onClick={() => this.setState({ range: seconds })}
                >
                  {name}
                </button>
              ))}
            </span>
            <RuleGraph view={this.props} rule={rule} range={this.state.range} />
          </div>
        ) : null}
      </li>
    );
  }
}
