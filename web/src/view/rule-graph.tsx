import { h } from 'preact';

import { postApiV1QueryRange } from '../api/operations';
import type { Rule } from '../api/types';
import { compact, graphData, limitOf, meets, shortNames, stepFor } from '../model/graph-data';
import { formatDuration } from '../model/time';
import { Asked } from './asked';
import type { View } from './context';
import { colour, Graph } from './graph';
import { Empty, Fault, Loading } from './parts';

/** The measurements of a rule over the last `range` seconds, with its limit and the instants at which it would trip. */
export function RuleGraph({ view, rule, range }: { view: View; rule: Rule; range: number }) {
  const step = stepFor(range, 200);
  const condition = rule.rollback?.trip ?? '';
  // An alert's expression has values only where it fires; the measurement is its left side.
  const split =
    rule.rollback || rule.type === 'recording'
      ? null
      : /^(.*?)\s*((?:==|!=|>=|<=|>|<)\s*[-+0-9.eE]+)$/s.exec(rule.query.trim());
  const expression = split ? split[1] : rule.query;
  const limitText = condition || split?.[2] || '';
  return (
    <Asked
      id={`${rule.name} ${range}`}
      every={Math.max(10, step)}
      ask={(signal: AbortSignal) => {
        const end = Math.floor(Date.now() / 1000);
        return view.store.client
          .send(
            postApiV1QueryRange,
            { query: expression, start: end - range, end, step: String(step), limit: 50 },
            signal,
          )
          .then((data) => ({ data, end }));
      }}
      show={({ data: answer, fault, ask }) => {
        if (fault && !answer) return <Fault text={fault} retry={ask} />;
        if (!answer) return <Loading lines={5} />;
        const series =
          Array.isArray(answer.data.result) && answer.data.resultType === 'matrix' ? (answer.data.result as any[]) : [];
        if (series.length === 0)
          return <Empty title={`The expression had no value in the last ${formatDuration(range)}.`} />;
        const data = graphData(series, answer.end - range, answer.end, step);
        const limit = limitOf(limitText);
        const marks =
          limitText === ''
            ? []
            : data.rows
                .filter((row) => row.slice(1).some((value) => meets(limitText, value) === true))
                .map((row) => row[0]);
        return (
          <div>
            <Graph
              label={`${rule.name} over ${formatDuration(range)}`}
              spec={{
                rows: data.rows,
                names: shortNames(data.labels),
                colours: data.labels.map((_, index) => colour(index)),
                visible: data.labels.map(() => true),
                isStacked: false,
                isUTC: false,
                limits: limit === null ? [] : [{ value: limit, name: limitText }],
                marks,
                window: [(answer.end - range) * 1000, answer.end * 1000],
                format: compact,
              }}
            />
            <p class="quiet">
              {limitText
                ? `Dashed: ${limitText}. ${marks.length === 0 ? 'It was not met' : `It was met at ${marks.length} of ${data.rows.length} steps, marked`} in the last ${formatDuration(range)}.`
                : ''}
            </p>
          </div>
        );
      }}
    />
  );
}
