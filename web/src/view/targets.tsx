import { Component, h } from 'preact';
import { getApiV1Targets } from '../api/operations';
import type { Target } from '../api/types';
import { distinguishing } from '../model/labels';
import { type TargetRow, targetRows } from '../model/lists';
import type { Tone } from '../model/now';
import { duration } from '../model/time';
import { link } from '../router';
import { Asked } from './asked';
import type { View } from './context';
import { Badge, Card, Copy, Empty, Fault, Labels, Loading, Time, VirtualList } from './parts';

const tones: { [health: string]: Tone } = { up: 'good', down: 'bad', unknown: 'plain' };

/** Targets by job. Jobs can be closed; the labels that tell the targets of a job apart come first. */
export class TargetsView extends Component<View, { closed: ReadonlySet<string> }> {
  state = { closed: new Set<string>() as ReadonlySet<string> };

  render() {
    const { store, page } = this.props;
    const { live, place, now } = page;
    const search = place.parameters.get('q') ?? '';
    const health = place.parameters.get('health') ?? '';
    const set = (parts: { q?: string; health?: string }) =>
      store.replace(link(['targets'], { q: search, health, ...parts }));
    const targets = live.targets;
    const rows = targetRows(targets ?? [], search, health, this.state.closed);
    const count = rows.reduce((sum, row) => sum + (row.kind === 'job' ? row.all : 0), 0);
    const names = new Map<string, string[]>();
    const labelsOf = (job: string) => {
      let found = names.get(job);
      if (!found) {
        const all = (targets ?? []).filter((one) => one.scrapePool === job).map((one) => one.labels);
        found = all.length > 1 ? distinguishing(all) : Object.keys(all[0] ?? {}).filter((name) => name !== 'job');
        if (!found.includes('instance')) found = [...found, 'instance'];
        names.set(job, found);
      }
      return found;
    };
    return (
      <div class="view">
        <header class="title-row">
          <h1 class="title">Targets</h1>
          <label class="search">
            <span class="hidden">Search targets</span>
            <input
              type="search"
              data-search
              placeholder="Search: env=green 10.0.0.1"
              value={search}
              onInput={(event: any) => set({ q: event.target.value })}
            />
          </label>
          <span class="group" role="group" aria-label="Health">
            {['', 'up', 'down', 'unknown'].map((one) => (
              <button
                type="button"
                key={one}
                aria-pressed={String(health === one)}
                onClick={() => set({ health: one })}
              >
                {one === '' ? 'all' : one}
              </button>
            ))}
          </span>
        </header>
        <Card id="targets" title={targets ? `${count} of ${targets.length} targets` : 'Targets'} wide>
          {targets === undefined ? (
            <Loading lines={8} />
          ) : targets.length === 0 ? (
            <Empty title="No target is configured.">
              <p class="quiet">
                Write a job in <code>scrape_configs:</code> of <code>prometheus.yml</code> and reload.
              </p>
            </Empty>
          ) : rows.length === 0 ? (
            <Empty title="No target meets this search.">
              <button type="button" onClick={() => set({ q: '', health: '' })}>
                Show all
              </button>
            </Empty>
          ) : (
            <VirtualList
              rows={rows}
              height={46}
              label="Targets by job"
              render={(row: TargetRow) =>
                row.kind === 'job' ? (
                  <button
                    type="button"
                    class="job"
                    aria-expanded={String(!this.state.closed.has(row.job))}
                    onClick={() => {
                      const closed = new Set(this.state.closed);
                      if (!closed.delete(row.job)) closed.add(row.job);
                      this.setState({ closed });
                    }}
                  >
                    <b>{row.job}</b>{' '}
                    <Badge tone={row.up === row.all ? 'good' : 'bad'} text={`${row.up} of ${row.all} up`} />
                  </button>
                ) : (
                  <TargetLine target={row.target} names={labelsOf(row.target.scrapePool)} now={now} />
                )
              }
            />
          )}
        </Card>
        <Card id="dropped" title="Dropped targets" wide>
          <Asked
            id="dropped"
            ask={(signal: AbortSignal) => store.client.send(getApiV1Targets, { state: 'dropped' }, signal)}
            show={({ data, fault, ask }) =>
              fault ? (
                <Fault text={fault} retry={ask} />
              ) : !data ? (
                <Loading lines={1} />
              ) : data.droppedTargets.length === 0 ? (
                <Empty title="No target was dropped by relabelling." />
              ) : (
                <ul class="lines">
                  {data.droppedTargets.slice(0, 200).map((one, index) => (
                    <li key={String(index)}>
                      <b>{one.scrapePool}</b> <Labels labels={one.discoveredLabels} />
                    </li>
                  ))}
                </ul>
              )
            }
          />
        </Card>
      </div>
    );
  }
}

function TargetLine({ target, names, now }: { target: Target; names: readonly string[]; now: number }) {
  return (
    <div class="target-row">
      <Badge tone={tones[target.health] ?? 'plain'} text={target.health} />
      <span class="grow">
        <Labels labels={target.labels} only={names} />
        {target.lastError ? (
          <span class="bad-text clip" title={target.lastError}>
            {target.lastError}
          </span>
        ) : null}
      </span>
      <span class="quiet nowrap" title={`every ${target.scrapeInterval}, timeout ${target.scrapeTimeout}`}>
        {duration(target.lastScrapeDuration)} · <Time at={target.lastScrape} now={now} />
      </span>
      <a href={target.scrapeUrl} rel="noreferrer" title={target.scrapeUrl}>
        exposition
      </a>
      <Copy text={target.scrapeUrl} what={`the address of ${target.labels['instance'] ?? 'the target'}`} />
    </div>
  );
}
