import { Component, h } from 'preact';
import type { Sample, Series } from '../api/types';
import { seriesText } from '../model/labels';
import { adding } from '../model/query';
import { Copy, Empty, Icon, Labels } from './parts';
import type { Result } from './query';

export const historyKey = 'tribune.queries';
const savedKey = 'tribune.saved';

export function stored(key: string): string[] {
  try {
    return JSON.parse(localStorage.getItem(key) ?? '[]') as string[];
  } catch {
    return [];
  }
}

export function ResultTable({ result }: { result: Result }) {
  const { now } = result;
  if (now.resultType === 'scalar' || now.resultType === 'string')
    return (
      <p>
        <code>{(now.result as Sample)[1]}</code>
      </p>
    );
  const series = now.result as Series[];
  if (series.length === 0) return <Empty title="The result is empty at this time." />;
  return (
    <div class="scroll">
      <table>
        <caption>Values</caption>
        <thead>
          <tr>
            <th>Series</th>
            <th class="number">Value</th>
            <th>
              <span class="hidden">Copy</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {series.slice(0, 500).map((one) => (
            <tr key={seriesText(one.metric)}>
              <td>
                <Labels labels={one.metric} />
              </td>
              <td class="number">
                {one.value?.[1] ??
                  (one.histogram
                    ? `count ${one.histogram[1].count}, sum ${one.histogram[1].sum}`
                    : (one.values ?? []).map(([time, text]) => (
                        <span class="sample" key={String(time)}>
                          {text} @{time}
                        </span>
                      )))}
              </td>
              <td>
                <Copy text={seriesText(one.metric)} what="the series" />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {series.length > 500 ? <p class="quiet">The first 500 of {series.length}.</p> : null}
    </div>
  );
}

/** Expressions that were run or kept in this browser. */
export class SavedQueries extends Component<
  { text: string; choose: (expression: string) => void },
  { isOpen: boolean }
> {
  state = { isOpen: false };

  render() {
    const { text, choose } = this.props;
    const saved = stored(savedKey);
    const pick = (expression: string) => {
      this.setState({ isOpen: false });
      choose(expression);
    };
    return (
      <span class="menu">
        <button
          type="button"
          aria-expanded={String(this.state.isOpen)}
          onClick={() => this.setState({ isOpen: !this.state.isOpen })}
        >
          History
        </button>
        {this.state.isOpen ? (
          <div class="menu-box">
            {text.trim() !== '' && !saved.includes(text.trim()) ? (
              <button
                type="button"
                onClick={() => {
                  localStorage.setItem(savedKey, JSON.stringify(adding(text.trim(), saved)));
                  this.setState({ isOpen: true });
                }}
              >
                Keep this expression
              </button>
            ) : null}
            {saved.length > 0 ? <h3>Kept</h3> : null}
            {saved.map((one) => (
              <span class="row" key={`k${one}`}>
                <button type="button" class="text" onClick={() => pick(one)}>
                  <code>{one}</code>
                </button>
                <button
                  type="button"
                  class="icon"
                  aria-label={`Forget ${one}`}
                  onClick={() => {
                    localStorage.setItem(savedKey, JSON.stringify(saved.filter((other) => other !== one)));
                    this.setState({ isOpen: true });
                  }}
                >
                  <Icon name="close" />
                </button>
              </span>
            ))}
            <h3>Run before</h3>
            {stored(historyKey).length === 0 ? (
              <p class="quiet">Nothing yet.</p>
            ) : (
              stored(historyKey)
                .slice(0, 15)
                .map((one) => (
                  <button type="button" class="text" key={`h${one}`} onClick={() => pick(one)}>
                    <code>{one}</code>
                  </button>
                ))
            )}
          </div>
        ) : null}
      </span>
    );
  }
}
