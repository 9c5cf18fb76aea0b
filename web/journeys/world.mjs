// A world for journeys: seven services of which each has a stable version and a candidate, a router for each, and a receiver of
// notifications, all served by this process on loopback; and a real Tribune that watches and shifts them.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './browser.mjs';

export const services = [
  { name: 'auth', depends: [] },
  { name: 'integrity', depends: [] },
  { name: 'ledger', depends: ['auth'] },
  { name: 'search', depends: ['auth'] },
  { name: 'pricing', depends: ['integrity'] },
  { name: 'checkout', depends: ['ledger', 'pricing'] },
  { name: 'gateway', depends: ['checkout', 'search'] },
];

/** The traffic of one service, as a webhook router has it. */
class Router {
  candidate = 0;
  isolated = false;
  seen = new Set();

  handle(method, key, body) {
    if (method === 'GET')
      return { stable: 100 - this.candidate, candidate: this.candidate, stable_healthy: true, candidate_healthy: true };
    // The key of an operation that was carried out already: nothing happens again.
    if (this.seen.has(key)) return {};
    this.seen.add(key);
    if (body.operation === 'shift') this.candidate = body.candidate;
    if (body.operation === 'isolate') this.isolated = true;
    return {};
  }
}

export class World {
  routers = new Map(services.map((service) => [service.name, new Router()]));
  /** Errors per second of each candidate. */
  errors = new Map(services.map((service) => [service.name, 0]));
  notified = [];
  started = Date.now();

  static async start(program, { targets = 0, alerts = 0 } = {}) {
    const world = new World();
    world.extra = { targets, alerts };
    await world.serve();
    await world.run(program);
    return world;
  }

  async serve() {
    this.server = createServer((request, response) => this.answer(request, response));
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.port = this.server.address().port;
  }

  answer(request, response) {
    const [, kind, name, version] = request.url.split('?')[0].split('/');
    if (kind === 'metrics') {
      response.setHeader('Content-Type', 'text/plain; version=0.0.4');
      return response.end(this.metrics(name, version));
    }
    if (kind === 'problems') {
      response.setHeader('Content-Type', 'text/plain; version=0.0.4');
      return response.end(
        new Array(this.extra.alerts)
          .fill(0)
          .map((_, index) => `many_problem{number="${index}"} 1\n`)
          .join(''),
      );
    }
    if (kind === 'healthz') return response.end('ok');
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (piece) => {
      text += piece;
    });
    request.on('end', () => {
      const body = text === '' ? {} : JSON.parse(text);
      if (kind === 'notify') {
        this.notified.push(body);
        return response.end('ok');
      }
      const router = this.routers.get(name);
      if (kind !== 'router' || !router) return response.writeHead(404).end();
      response.setHeader('Content-Type', 'application/json');
      return response.end(JSON.stringify(router.handle(request.method, request.headers['idempotency-key'], body)));
    });
  }

  /** Counters that grow with the time, so that rates are what the journey expects. */
  metrics(name, version) {
    const seconds = (Date.now() - this.started) / 1000;
    const share =
      version === 'green'
        ? (this.routers.get(name)?.candidate ?? 0) / 100
        : 1 - (this.routers.get(name)?.candidate ?? 0) / 100;
    const failing = version === 'green' ? (this.errors.get(name) ?? 0) : 0;
    return (
      `# HELP http_requests_total Requests by status.\n# TYPE http_requests_total counter\n` +
      `http_requests_total{status="200"} ${Math.round(1000 + seconds * 40 * (0.5 + share))}\n` +
      `http_requests_total{status="500"} ${Math.round(seconds * failing)}\n` +
      `# HELP service_error_ratio Share of requests that fail.\n# TYPE service_error_ratio gauge\nservice_error_ratio ${failing > 0 ? 0.25 : 0.001 + (name.length % 3) / 1000}\n` +
      `# HELP service_latency_seconds Time to answer.\n# TYPE service_latency_seconds gauge\nservice_latency_seconds ${(0.02 + 0.01 * Math.sin(seconds / 3 + name.length)).toFixed(4)}\n` +
      `# HELP service_queue_length Waiting requests.\n# TYPE service_queue_length gauge\nservice_queue_length ${name === 'ledger' && version === 'blue' ? 180 : 4}\n`
    );
  }

  files() {
    const base = `http://127.0.0.1:${this.port}`;
    const jobs = services
      .map(
        ({ name }) => `- job_name: ${name}
  static_configs:
${['blue', 'green']
  .map(
    (version) => `  - targets: ['127.0.0.1:${this.port}']
    labels: {__metrics_path__: /metrics/${name}/${version}, service: ${name}, env: ${version}}`,
  )
  .join('\n')}`,
      )
      .join('\n');
    const many =
      this.extra.targets === 0
        ? ''
        : `- job_name: many
  scrape_interval: 1h
  static_configs:
  - targets: [${new Array(this.extra.targets)
    .fill(0)
    .map((_, index) => `'10.9.${Math.floor(index / 250)}.${index % 250}:9100'`)
    .join(', ')}]
`;
    const manyAlerts =
      this.extra.alerts === 0
        ? ''
        : `- name: many
  interval: 1s
  rules:
  - alert: Many
    expr: many_problem > 0
`;
    return {
      'prometheus.yml': `global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
${jobs}
${
  this.extra.alerts === 0
    ? ''
    : `- job_name: problems
  static_configs:
  - targets: ['127.0.0.1:${this.port}']
    labels: {__metrics_path__: /problems}
`
}- job_name: broken
  static_configs:
  - targets: ['127.0.0.1:1']
    labels: {service: broken}
${many}`,
      'rules.yml': `groups:
- name: release
  interval: 1s
  rules:
  - rollback: ErrorRatioHigh
    expr: max by (service) (service_error_ratio{env="green"})
    trip: "> 0.05"
    consecutive: 2
    severity: critical
    cooldown: 2s
    action: {plan: shop, scope: service+dependents}
    annotations: {summary: "The candidate fails too many requests"}
  - alert: QueueLong
    expr: max by (service) (service_queue_length) > 100
    labels: {severity: warning}
    annotations: {summary: "Requests wait", description: "More than 100 requests wait."}
  - record: service:requests:rate10s
    expr: sum by (service, env) (rate(http_requests_total[10s]))
${manyAlerts}`,
      'shop.yml': `plan: shop
stages: [10, 50, 100]
bake: 3s
settle: 1s
reconcile: 1s
validation: {rounds: 2, interval: 500ms, timeout: 30s}
services:
${services
  .map(
    ({ name, depends }) => `- name: ${name}
  depends: [${depends.join(', ')}]
  stable_health: ${base}/healthz/${name}
${name === 'checkout' ? '  gates: [{approval: the owner of checkout agrees}]\n' : ''}${name === 'gateway' ? '  preflight: [The new certificate is installed, The on-call engineer knows]\n' : ''}  routes:
  - webhook: {url: "${base}/router/${name}", read: "${base}/router/${name}"}
    timeout: 2s`,
  )
  .join('\n')}
`,
      'alertmanager.yml': `route:
  receiver: people
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  routes:
  - {matchers: [alertname="QueueLong"], receiver: on-call, continue: true}
  - {matchers: [alertname=~".+"], receiver: people}
receivers:
- name: on-call
- name: people
  webhook_configs: [{url: "${base}/notify"}]
`,
      'oncall.yml': `people:
- {name: ada, contacts: [{receiver: people}, {push: true, after: 10m}]}
- {name: bob, contacts: [{receiver: people}]}
schedules:
- {name: primary, layers: [{people: [ada, bob], turn: 7d, from: "2026-01-05 09:00"}]}
policies:
- {name: default, steps: [{notify: [{schedule: primary}]}, {after: 30m, notify: [{person: bob}]}]}
receivers:
- {name: on-call, policy: default}
push: {contact: "mailto:oncall@example.org"}
`,
      'tribune.yml': `prometheus_config: prometheus.yml
oncall_config: oncall.yml
alertmanager_config: alertmanager.yml
plans: [shop.yml]
history: {verify: {interval: 2s}}
`,
    };
  }

  async run(program) {
    this.directory ??= mkdtempSync(join(tmpdir(), 'tribune-journey-'));
    this.ended = undefined;
    for (const [name, text] of Object.entries(this.files())) writeFileSync(join(this.directory, name), text);
    const runtime = join(this.directory, 'run');
    mkdirSync(runtime, { mode: 0o700, recursive: true });
    this.program = program;
    this.webPort ??= await freePort();
    this.process = spawn(
      program,
      [
        'serve',
        '--config.file=tribune.yml',
        '--storage.path=data',
        `--web.listen-address=127.0.0.1:${this.webPort}`,
        '--log.level=warn',
      ],
      { cwd: this.directory, env: { ...process.env, TRIBUNE_RUNTIME_DIR: runtime }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.log = '';
    for (const stream of [this.process.stdout, this.process.stderr])
      stream.on('data', (piece) => {
        this.log += piece;
      });
    this.process.on('exit', (code) => {
      this.ended = code;
    });
    this.address = `http://127.0.0.1:${this.webPort}`;
    await until(async () => {
      if (this.ended !== undefined) throw new Error(`Tribune ended with ${this.ended}: ${this.log}`);
      return fetch(`${this.address}/-/ready`).then(
        (answer) => answer.ok,
        () => false,
      );
    }, 'Tribune is ready');
    this.token = readFileSync(join(runtime, `${this.webPort}.token`), 'utf8').trim();
  }

  /** Data of an endpoint. */
  async ask(path) {
    const answer = await fetch(`${this.address}/api/${path}`);
    const text = await answer.text();
    const body = JSON.parse(text);
    return path.startsWith('v2/') ? body : body.data;
  }

  async order(verb, plan = 'shop') {
    const answer = await fetch(`${this.address}/api/v1/rollouts/${plan}/${verb}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${this.token}` },
      body: new URLSearchParams({ reason: 'journey' }),
    });
    if (!answer.ok) throw new Error(await answer.text());
  }

  /** Kills the program, as a crash would. */
  async kill() {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGKILL');
    await ended;
  }

  /** Starts it again with the files and data that are there, at the same address. */
  restart() {
    return this.run(this.program);
  }

  async stop() {
    if (this.ended === undefined) {
      const ended = new Promise((resolve) => this.process.once('exit', resolve));
      this.process.kill('SIGTERM');
      await ended;
    }
    this.server.closeAllConnections?.();
    this.server.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
