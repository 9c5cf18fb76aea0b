import { h } from 'preact';

import {
  getApiV1Bottlenecks,
  getApiV1StatusBuildinfo,
  getApiV1StatusConfig,
  getApiV1StatusFlags,
  getApiV1StatusRuntimeinfo,
  getApiV1StatusTsdb,
} from '../api/operations';
import type { NameCount } from '../api/types';
import { compact } from '../model/graph-data';
import { type Tone, words } from '../model/now';
import { absolute } from '../model/time';
import { link } from '../router';
import { Access } from './access';
import { Asked } from './asked';
import type { View } from './context';
import { Badge, Card, Copy, Empty, Fault, Loading } from './parts';

const pages = [
  ['server', 'Server'],
  ['bottlenecks', 'Bottlenecks'],
  ['store', 'Store'],
  ['configuration', 'Configuration'],
  ['access', 'Access'],
] as const;

/** The server itself. */
export function StatusView(view: View & { part: string }) {
  const part = pages.some(([name]) => name === view.part) ? view.part : 'server';
  return (
    <div class="view">
      <header class="title-row">
        <h1 class="title">Status</h1>
        <nav class="tabs" aria-label="Status">
          {pages.map(([name, title]) => (
            <a key={name} href={link(['status', name])} aria-current={part === name ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
      </header>
      {part === 'server' ? (
        <Server view={view} />
      ) : part === 'bottlenecks' ? (
        <Bottlenecks view={view} />
      ) : part === 'store' ? (
        <Store view={view} />
      ) : part === 'configuration' ? (
        <Configuration view={view} />
      ) : (
        <Access view={view} />
      )}
    </div>
  );
}

function Facts({ facts }: { facts: { [name: string]: unknown } }) {
  const names = Object.keys(facts).filter((name) => facts[name] !== '');
  return (
    <dl class="facts">
      {names.map((name) => [<dt key={`t${name}`}>{name}</dt>, <dd key={`d${name}`}>{String(facts[name])}</dd>])}
    </dl>
  );
}

function Server({ view }: { view: View }) {
  const { client } = view.store;
  return (
    <div class="columns">
      <Card id="build" title="Build">
        <Asked
          id="build"
          ask={(signal: AbortSignal) => client.send(getApiV1StatusBuildinfo, {}, signal)}
          show={({ data, fault, ask }) =>
            fault ? (
              <Fault text={fault} retry={ask} />
            ) : !data ? (
              <Loading />
            ) : (
              <div>
                <Facts
                  facts={{
                    Program: `${data.application} ${data.applicationVersion}`,
                    'API of Prometheus': data.version,
                  }}
                />
                <p class="small-text">
                  <a href="licenses.txt">Licenses</a> of what this application contains
                </p>
              </div>
            )
          }
        />
      </Card>
      <Card id="runtime" title="Process">
        <Asked
          id="runtime"
          every={10}
          ask={(signal: AbortSignal) => client.send(getApiV1StatusRuntimeinfo, {}, signal)}
          show={({ data, fault, ask }) =>
            fault ? (
              <Fault text={fault} retry={ask} />
            ) : !data ? (
              <Loading />
            ) : (
              <Facts
                facts={{
                  Started: absolute(Date.parse(String(data['startTime']))),
                  'Time of the server': absolute(Date.parse(String(data['serverTime']))),
                  Host: data['hostname'],
                  Directory: data['CWD'],
                  'Configuration read': `${absolute(Date.parse(String(data['lastConfigTime'])))}${data['reloadConfigSuccess'] ? '' : ', the last reload failed'}`,
                  Threads: data['goroutineCount'],
                  Processors: data['GOMAXPROCS'],
                  Retention: data['storageRetention'],
                  'Damaged log segments': data['corruptionCount'],
                }}
              />
            )
          }
        />
      </Card>
      <Card id="flags" title="Flags" wide>
        <Asked
          id="flags"
          ask={(signal: AbortSignal) => client.send(getApiV1StatusFlags, {}, signal)}
          show={({ data, fault, ask }) =>
            fault ? (
              <Fault text={fault} retry={ask} />
            ) : !data ? (
              <Loading />
            ) : Object.keys(data).length === 0 ? (
              <Empty title="The server was started without flags of its own." />
            ) : (
              <Facts facts={data} />
            )
          }
        />
      </Card>
    </div>
  );
}

const tones: { [status: string]: Tone } = { bottleneck: 'bad', warning: 'warn', ok: 'good' };

function Bottlenecks({ view }: { view: View }) {
  return (
    <Card id="bottlenecks" title="What limits the services" wide>
      <Asked
        id="bottlenecks"
        every={15}
        ask={(signal: AbortSignal) => view.store.client.send(getApiV1Bottlenecks, {}, signal)}
        show={({ data, fault, ask }) =>
          fault && !data ? (
            <Fault text={fault} retry={ask} />
          ) : !data ? (
            <Loading lines={6} />
          ) : (
            <div class="scroll">
              <table class="stacked">
                <caption>Bottlenecks</caption>
                <thead>
                  <tr>
                    <th>State</th>
                    <th>Limit</th>
                    <th>Subject</th>
                    <th class="number">Value</th>
                    <th class="number">Limit at</th>
                    <th>
                      <span class="hidden">Query</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {data.bottlenecks.map((one) => (
                    <tr key={`${one.name} ${one.subject}`}>
                      <td>
                        <Badge tone={tones[one.status] ?? 'plain'} text={one.status} />
                      </td>
                      <th scope="row">
                        {words(one.name)}
                        {one.dependents.length > 0 ? <p>also limits {one.dependents.join(', ')}</p> : null}
                      </th>
                      <td>{one.subject}</td>
                      <td class="number">
                        {one.value === null ? (one.evidence.reason ?? 'no data') : compact(one.value)}
                      </td>
                      <td class="number">{compact(one.threshold)}</td>
                      <td>
                        <a
                          href={link(['query'], {
                            'g0.expr': one.evidence.expr,
                            'g0.range_input': '1h',
                            'g0.tab': 'graph',
                          })}
                          aria-label={`Query ${words(one.name)} of ${one.subject}`}
                        >
                          Query
                        </a>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      />
    </Card>
  );
}

function Counts({ title, id, list }: { title: string; id: string; list: readonly NameCount[] }) {
  const most = Math.max(1, ...list.map((one) => one.value));
  return (
    <Card id={id} title={title}>
      <ul class="counts">
        {list.map((one) => (
          <li key={one.name}>
            <span class="clip" title={one.name}>
              {one.name}
            </span>
            <span class="level" aria-hidden="true">
              <i style={{ width: `${(100 * one.value) / most}%` }} />
            </span>
            <b>{one.value}</b>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Store({ view }: { view: View }) {
  return (
    <Asked
      id="store"
      every={30}
      ask={(signal: AbortSignal) => view.store.client.send(getApiV1StatusTsdb, { limit: 10 }, signal)}
      show={({ data, fault, ask }) =>
        fault && !data ? (
          <Fault text={fault} retry={ask} />
        ) : !data ? (
          <Loading lines={8} />
        ) : (
          <div>
            <Card id="head" title="Samples in memory" wide>
              <Facts
                facts={{
                  Series: data.headStats.numSeries,
                  'Label pairs': data.headStats.numLabelPairs,
                  From: absolute(data.headStats.minTime),
                  To: absolute(data.headStats.maxTime),
                }}
              />
            </Card>
            <div class="columns">
              <Counts id="metrics" title="Metrics with most series" list={data.seriesCountByMetricName} />
              <Counts id="labels" title="Labels with most values" list={data.labelValueCountByLabelName} />
              <Counts id="pairs" title="Label pairs with most series" list={data.seriesCountByLabelValuePair} />
            </div>
          </div>
        )
      }
    />
  );
}

function Configuration({ view }: { view: View }) {
  return (
    <Asked
      id="configuration"
      ask={(signal: AbortSignal) => view.store.client.send(getApiV1StatusConfig, {}, signal)}
      show={({ data, fault, ask }) =>
        fault ? (
          <Fault text={fault} retry={ask} />
        ) : !data ? (
          <Loading lines={10} />
        ) : (
          <Card
            id="configuration"
            title="Configuration in force, without secrets"
            wide
            aside={<Copy text={data.yaml} what="the configuration" />}
          >
            <pre tabIndex={0}>{data.yaml}</pre>
          </Card>
        )
      }
    />
  );
}
