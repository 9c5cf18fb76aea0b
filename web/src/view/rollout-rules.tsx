import { h } from 'preact';

import { postApiV1QueryRange } from '../api/operations';
import type { Rollout, RuleGroup, RuleStanding, Series } from '../api/types';
import { graphData, limitOf } from '../model/graph-data';
import { seriesText } from '../model/labels';
import { rulesInState } from '../model/now';
import { absolute } from '../model/time';
import { link } from '../router';
import { Asked } from './asked';
import type { View } from './context';
import { Badge, Empty, Sparkline, Time } from './parts';

const shownRules = 12;
const sparkRange = 600;

/** The rollback rules of the plan with what they measure, and how that went in the last minutes. */
export function Standings({ view, rollout }: { view: View; rollout: Rollout }) {
  const { rules } = rollout.details;
  if (rules.length === 0)
    return (
      <Empty title="No rollback rule names this plan.">
        <p class="quiet">
          Write one with{' '}
          <code>
            action: {'{'}plan: {rollout.plan}
            {'}'}
          </code>
          .
        </p>
      </Empty>
    );
  const expressions = expressionsOf(
    view.page.live.groups ?? [],
    rules.slice(0, shownRules).map((rule) => rule.name),
  );
  return (
    <Asked
      id={JSON.stringify([...expressions])}
      every={15}
      ask={(signal: AbortSignal) => measurements(view, expressions, signal)}
      show={({ data }) => <StandingTable rules={rules} now={view.page.now} lines={data ?? new Map()} />}
    />
  );
}

/** The expressions of rollback rules, by name. */
function expressionsOf(groups: readonly RuleGroup[], names: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { rule } of rulesInState(groups, (one) => one.rollback !== undefined && names.includes(one.name)))
    found.set(rule.name, rule.query);
  return found;
}

/** The last minutes of each rule's elements, by the rule and the element's labels. */
export async function measurements(
  view: View,
  expressions: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<Map<string, number[]>> {
  const end = Math.floor(Date.now() / 1000);
  const step = sparkRange / 60;
  const lines = new Map<string, number[]>();
  await Promise.all(
    [...expressions].map(async ([name, expression]) => {
      const answer = await view.store.client.send(
        postApiV1QueryRange,
        { query: expression, start: end - sparkRange, end, step: String(step), limit: 100 },
        signal,
      );
      if (answer.resultType !== 'matrix') return;
      const data = graphData(answer.result as Series[], end - sparkRange, end, step);
      data.labels.forEach((labels, index) => {
        const { __name__: _, ...rest } = labels;
        lines.set(
          `${name} ${seriesText(rest)}`,
          data.rows.map((row) => row[index + 1]),
        );
      });
    }),
  );
  return lines;
}

function StandingTable({
  rules,
  now,
  lines,
}: {
  rules: readonly RuleStanding[];
  now: number;
  lines: ReadonlyMap<string, number[]>;
}) {
  return (
    <div class="scroll">
      <table class="stacked">
        <caption>Rollback rules</caption>
        <thead>
          <tr>
            <th>Rule</th>
            <th>Trips at</th>
            <th>Element</th>
            <th class="number">Value</th>
            <th>Last 10 minutes</th>
            <th>Measured</th>
            <th>State</th>
          </tr>
        </thead>
        <tbody>
          {rules.flatMap((rule) =>
            rule.elements.length === 0
              ? [
                  <tr key={rule.name}>
                    <th scope="row">
                      <a href={link(['rules'], { q: rule.name })}>{rule.name}</a>
                    </th>
                    <td>
                      <code>{rule.trip}</code>
                    </td>
                    <td colSpan={5} class="quiet">
                      has measured nothing yet
                    </td>
                  </tr>,
                ]
              : rule.elements.map((element) => (
                  <tr key={`${rule.name} ${element.labels}`}>
                    <th scope="row">
                      <a href={link(['rules'], { q: rule.name })}>{rule.name}</a>
                    </th>
                    <td>
                      <code>{rule.trip}</code>
                    </td>
                    <td>
                      <code class="wrap">{element.labels}</code>
                    </td>
                    <td class="number">{element.value ?? '–'}</td>
                    <td>
                      <Sparkline
                        values={lines.get(`${rule.name} ${element.labels}`) ?? []}
                        limit={limitOf(rule.trip)}
                        label={`${rule.name} in the last 10 minutes`}
                      />
                    </td>
                    <td>
                      <Time at={element.at} now={now} />
                      {element.missing_since ? (
                        <small class="warn-text"> no data since {absolute(Date.parse(element.missing_since))}</small>
                      ) : null}
                    </td>
                    <td>
                      {element.tripped ? <Badge tone="bad" text="tripped" /> : <Badge tone="good" text="holds" />}
                    </td>
                  </tr>
                )),
          )}
        </tbody>
      </table>
    </div>
  );
}
