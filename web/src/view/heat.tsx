import { h } from 'preact';
import { getApiV1HistoryDays } from '../api/operations';
import { heatDays, heatRows } from '../model/heat';
import { link } from '../router';
import { Asked } from './asked';
import type { View } from './context';
import { Empty, Fault, Loading } from './parts';

const shown = 30;

/** Services by day: how often each violated a rule and was rolled back. A cell leads to its entries. */
export function HeatMap({ view }: { view: View }) {
  return (
    <Asked
      id="days"
      every={60}
      ask={(signal: AbortSignal) => view.store.client.send(getApiV1HistoryDays, {}, signal)}
      show={({ data, fault, ask }) => {
        if (fault && !data) return <Fault text={fault} retry={ask} />;
        if (!data) return <Loading lines={4} />;
        const days = heatDays(view.page.now, shown);
        const rows = heatRows(data, days);
        if (rows.length === 0)
          return (
            <Empty title="Nothing was recorded of a service yet.">
              <p class="quiet">
                Rules that name a service, and <code>history.record</code>, fill this map.
              </p>
            </Empty>
          );
        return (
          <div>
            <p class="quiet">
              The last {shown} days (UTC): <span class="heat-key good">✓ no violation</span>{' '}
              <span class="heat-key warn">number of violations</span>{' '}
              <span class="heat-key bad">number of rollbacks ↺</span>
            </p>
            <div class="heat-box">
              <table class="heat">
                <caption>Violations and rollbacks of each service by day</caption>
                <thead>
                  <tr>
                    <th scope="col">Service</th>
                    {days.map((day) => (
                      <th key={day} scope="col" title={day}>
                        {day.slice(8)}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {rows.map((row) => (
                    <tr key={row.service}>
                      <th scope="row">{row.service}</th>
                      {row.cells.map((cell) => (
                        <td key={cell.day} class={cell.level}>
                          {cell.level === 'none' ? null : (
                            <a
                              href={link(['evidence'], { service: row.service, from: cell.from, to: cell.to })}
                              title={cell.label}
                              aria-label={cell.label}
                            >
                              {cell.text}
                            </a>
                          )}
                        </td>
                      ))}
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </div>
        );
      }}
    />
  );
}
