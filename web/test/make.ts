import type { Alert, Rollout, Rule, RuleGroup, ServiceRollout, Target } from '../src/api/types';

export function service(name: string, part: Partial<ServiceRollout> = {}): ServiceRollout {
  return {
    name,
    progress: 'waiting',
    stable: 100,
    candidate: 0,
    testers: false,
    observed: null,
    routes: [],
    frozen: null,
    stage: null,
    stages: 3,
    bake_ends: null,
    gates: [],
    lack: null,
    unmanaged_since: null,
    depends: [],
    preflight: [],
    ...part,
  };
}

export function rollout(state: string, services: ServiceRollout[], part: Partial<Rollout['details']> = {}): Rollout {
  return {
    plan: 'shop',
    state,
    details: {
      plan: 'shop',
      generation: 1,
      phase: state,
      obstacle: null,
      epoch: 1,
      services,
      freezes: [],
      todo: [],
      rules: [],
      cooldown_until: null,
      observing_until: null,
      hooks: [],
      rollback: null,
      ...part,
    },
  };
}

export function target(job: string, instance: string, part: Partial<Target> = {}): Target {
  return {
    labels: { job, instance },
    discoveredLabels: {},
    scrapePool: job,
    scrapeUrl: `http://${instance}/metrics`,
    lastError: '',
    lastScrape: '',
    lastScrapeDuration: 0,
    health: 'up',
    scrapeInterval: '1s',
    scrapeTimeout: '1s',
    ...part,
  };
}

export function alert(name: string, labels: { [name: string]: string } = {}, part: Partial<Alert> = {}): Alert {
  return {
    labels: { alertname: name, ...labels },
    annotations: {},
    state: 'firing',
    activeAt: '2026-01-01T00:00:00Z',
    value: '1',
    ...part,
  };
}

export function rule(name: string, part: Partial<Rule> = {}): Rule {
  return {
    name,
    query: 'up',
    type: 'alerting',
    health: 'ok',
    evaluationTime: 0,
    lastEvaluation: '',
    labels: {},
    state: 'inactive',
    ...part,
  };
}

export function group(name: string, rules: Rule[]): RuleGroup {
  return { name, file: 'rules.yml', interval: 1, rules, evaluationTime: 0, lastEvaluation: '' };
}
