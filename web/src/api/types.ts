// Responses of the API. The OpenAPI document has no schemas of responses; the journeys compile what a running server answers
// against these types (journeys/contract.mjs), so that a field that is renamed or missing fails the tests.

export type LabelSet = { readonly [name: string]: string };

export interface Split {
  stable: number;
  candidate: number;
  /** Whether testers reach a candidate that has no share. */
  testers?: boolean;
}

export interface Gate {
  name: string;
  open: boolean | null;
  detail: string;
}

export interface RouteReading {
  name: string;
  up: boolean | null;
  observed: Split | null;
  grade: 'stored' | 'effective' | null;
  read_at: string | null;
  unreadable_since: string | null;
  fault: string | null;
  abandoned: boolean;
}

export interface ServiceRollout {
  name: string;
  progress: string;
  stable: number;
  candidate: number;
  testers: boolean;
  observed: Split | null;
  routes: RouteReading[];
  frozen: string | null;
  stage: number | null;
  stages: number;
  bake_ends: string | null;
  gates: Gate[];
  lack: string | null;
  unmanaged_since: string | null;
  depends: string[];
  preflight: string[];
}

export interface Step {
  time: string;
  ms: number;
  step: string;
  service: string | null;
  detail: string;
}

export interface Trip {
  name: string;
  rule: string;
  rule_hash: string;
  incident: string;
  severity: string;
  expr: string;
  comparison: string;
  threshold: string;
  labels: LabelSet;
  samples: { time: number; value: string }[];
  service: string | null;
  scope: string;
  mode: string;
  time: number;
  annotations: LabelSet;
}

export interface Rollback {
  id: string;
  generation: number;
  severity: string;
  services: string[];
  valid: boolean | null;
  validation: string | null;
  causes: { trip?: Trip; command?: { by: string; reason: string } }[];
  timeline: Step[];
  incident: { id: string; severity: string; title: string; tasks: string[] } | null;
  milliseconds: { [step: string]: number };
}

export interface RuleStanding {
  name: string;
  trip: string;
  elements: {
    labels: string;
    value: string | null;
    at: string | null;
    tripped: boolean;
    missing_since: string | null;
  }[];
}

export interface Rollout {
  plan: string;
  state: string;
  details: {
    plan: string;
    generation: number;
    phase: string;
    obstacle: string | null;
    epoch: number | null;
    services: ServiceRollout[];
    freezes: string[];
    todo: string[];
    hooks: { name: string; when: string; verdict: string | null; detail: string | null; since: string }[];
    rules: RuleStanding[];
    cooldown_until: string | null;
    observing_until: string | null;
    rollback: Rollback | null;
  };
}

export interface Alert {
  labels: LabelSet;
  annotations: LabelSet;
  state: string;
  activeAt: string;
  value: string;
}

export interface Target {
  labels: LabelSet;
  discoveredLabels: LabelSet;
  scrapePool: string;
  scrapeUrl: string;
  lastError: string;
  lastScrape: string;
  lastScrapeDuration: number;
  health: string;
  scrapeInterval: string;
  scrapeTimeout: string;
}

export interface Rule {
  name: string;
  query: string;
  type: string;
  health: string;
  lastError?: string;
  evaluationTime: number;
  lastEvaluation: string;
  labels: LabelSet;
  state?: string;
  duration?: number;
  annotations?: LabelSet;
  alerts?: Alert[];
  rollback?: { trip: string; severity: string; mode: string; streak: number; tripped: boolean };
}

export interface RuleGroup {
  name: string;
  file: string;
  interval: number;
  rules: Rule[];
  evaluationTime: number;
  lastEvaluation: string;
}

export interface LedgerEvent {
  index?: number;
  time: string;
  kind: string;
  subject: string;
  service?: string;
  incident?: string;
  actor?: { method?: string; identity?: unknown; peer?: unknown; claimed?: unknown };
  body: { [member: string]: unknown };
  hash?: string;
  proof?: string;
}

export interface ServiceDay {
  day: string;
  service: string;
  violations: number;
  rollbacks: number;
  metrics: { name: string; samples: number; average: number; minimum: number; maximum: number }[];
}

export interface HistoryStatus {
  database: string;
  connected: boolean;
  behind: boolean;
  spooled: number;
  entries: number;
  signedEntries: number;
  root: string;
  publicKey: string;
  halted: string | null;
  lastError: string | null;
  verification: {
    finishedAt: string | null;
    entries: number;
    problems: number;
    firstBadEntry: number | null;
    message: string | null;
  };
}

export interface Bottleneck {
  kind: string;
  name: string;
  subject: string;
  status: string;
  score: number | null;
  value: number | null;
  threshold: number;
  better: string;
  dependents: string[];
  evidence: { expr: string; labels?: LabelSet; reason?: string };
}

export interface Matcher {
  name: string;
  value: string;
  isRegex: boolean;
  isEqual: boolean;
}

export interface Silence {
  id: string;
  matchers: Matcher[];
  startsAt: string;
  endsAt: string;
  createdBy: string;
  comment: string;
  status: { state: string };
}

export interface NotifiedAlert {
  labels: LabelSet;
  annotations: LabelSet;
  startsAt: string;
  endsAt: string;
  fingerprint: string;
  receivers: { name: string }[];
  status: { state: string; silencedBy: string[]; inhibitedBy: string[] };
}

export interface AlertGroup {
  labels: LabelSet;
  receiver: { name: string };
  alerts: NotifiedAlert[];
}

export interface ClientIdentity {
  name: string | null;
  method: string;
  address: string;
  roles: string[];
  permissions: string[];
}

export type Sample = [number, string];
export interface Series {
  metric: LabelSet;
  value?: Sample;
  values?: Sample[];
  histogram?: [number, { count: string; sum: string }];
}
export interface QueryData {
  resultType: string;
  result: Series[] | Sample;
}

export interface NameCount {
  name: string;
  value: number;
}
export interface StoreStatus {
  headStats: { numSeries: number; numLabelPairs: number; chunkCount: number; minTime: number; maxTime: number };
  seriesCountByMetricName: NameCount[];
  labelValueCountByLabelName: NameCount[];
  seriesCountByLabelValuePair: NameCount[];
}

export interface Explanation {
  alert: string;
  time: string;
  alerts: {
    labels: LabelSet;
    state: string;
    conclusion: string;
    silenced_by: unknown[];
    inhibited_by: unknown[];
    routes: { receiver: string; integrations: string[]; firing_sent_to: string[] }[];
  }[];
}

/** A problem that somebody must act on. */
export interface Page {
  page: string;
  title: string;
  severity: string;
  state: string;
  opened: string;
  source: string;
  policy: string;
  step: number;
  by: string | null;
  next_call: string | null;
  called: string[];
  notes: { at: string; by: string; text: string }[];
  labels: LabelSet;
  annotations: LabelSet;
  child_of: string | null;
  children: string[];
  flapping: boolean;
}

export interface Schedule {
  name: string;
  person: string | null;
  until: string | null;
  next: string | null;
}

/** A browser that is notified of the calls to a person. */
export interface NotifiedBrowser {
  browser: string;
  person: string;
  name: string;
  service: string;
  at: string;
}

/** A time in which the same person is on call, or nobody. */
export interface Shift {
  person: string | null;
  from: string;
  until: string;
}

/** An override that somebody planned while the service runs. */
export interface RollbackTask {
  service: string;
  task: 'root_cause' | 'debugging' | 'fix' | 'retry_plan' | 'lessons';
  text: string;
  state: 'open' | 'in_progress' | 'done' | 'dropped';
  owner: string;
  note: string;
  changed_at: string | null;
  changed_by: string;
}

export interface PlannedOverride {
  override: string;
  person: string;
  from: string;
  until: string;
  reason: string;
  by: string;
  at: string;
}

/** The type of each response that the application reads, by operation. */
export interface Answers {
  getApiV1Rollouts: { rollouts: Rollout[] };
  postApiV1RolloutsPlanVerb: { accepted: boolean; ignored?: string };
  getApiV1RolloutsPlanReport: { markdown: string };
  getApiV1RolloutsPlanTasks: { rollbacks: { id: string; tasks: RollbackTask[] }[] };
  postApiV1RolloutsPlanTasks: RollbackTask;
  getApiV1Alerts: { alerts: Alert[] };
  getApiV1Targets: { activeTargets: Target[]; droppedTargets: { discoveredLabels: LabelSet; scrapePool: string }[] };
  getApiV1Rules: { groups: RuleGroup[] };
  getApiV1Bottlenecks: { time: string; bottlenecks: Bottleneck[] };
  getApiV1Explain: Explanation;
  getApiV1AccessWhoami: ClientIdentity;
  getApiV1HistoryEvents: { source: string; events: LedgerEvent[]; next?: string };
  getApiV1HistoryStatus: HistoryStatus;
  getApiV1HistoryDays: ServiceDay[];
  getApiV1HistoryProofEntry: { leaf: string; proof: string; disclosures: unknown[] };
  getApiV1HistoryCheckpoint: string;
  getApiV1HistoryConsistency: { hashes: string[]; checkpoint: string | null };
  postApiV1Query: QueryData;
  postApiV1QueryRange: QueryData;
  postApiV1FormatQuery: string;
  postApiV1Labels: string[];
  getApiV1LabelNameValues: string[];
  getApiV1Metadata: { [metric: string]: { type: string; help: string; unit: string }[] };
  getApiV1StatusTsdb: StoreStatus;
  getApiV1StatusConfig: { yaml: string };
  getApiV1StatusFlags: { [flag: string]: string };
  getApiV1StatusBuildinfo: { application: string; applicationVersion: string; version: string };
  getApiV1StatusRuntimeinfo: { [name: string]: string | number | boolean };
  getApiV1Features: { [group: string]: { [feature: string]: boolean } };
  getApiV1AccessIdentities: {
    identities: {
      name: string;
      method: string;
      roles: string[];
      plans: string[];
      services: string[];
      expires: string | null;
      last_used: string | null;
    }[];
  };
  getApiV1OncallPages: { pages: Page[] };
  getApiV1OncallPagesPage: Page;
  postApiV1OncallPages: { page: string | null };
  postApiV1OncallPagesPageVerb: { accepted: boolean; ignored?: string };
  getApiV1OncallSchedules: { schedules: Schedule[] };
  getApiV1OncallSchedulesSchedule: {
    name: string;
    time_zone: string;
    shifts: Shift[];
    overrides: PlannedOverride[];
  };
  postApiV1OncallSchedulesScheduleOverrides: { overrides: PlannedOverride[] };
  postApiV1OncallSchedulesScheduleSwap: { overrides: PlannedOverride[] };
  postApiV1OncallOverridesOverride: { overrides: PlannedOverride[] };
  deleteApiV1OncallOverridesOverride: { overrides: PlannedOverride[] };
  getApiV1OncallPeople: {
    people: { name: string; calendar: string; contacts: { receiver: string; push: boolean; after: string }[] }[];
  };
  getApiV1OncallBrowsers: { key: string | null; browsers: NotifiedBrowser[] };
  postApiV1OncallBrowsers: NotifiedBrowser;
  deleteApiV1OncallBrowsersBrowser: NotifiedBrowser;
  getApiV2Silences: Silence[];
  postApiV2Silences: { silenceID: string };
  getApiV2AlertsGroups: AlertGroup[];
  getApiV2Alerts: NotifiedAlert[];
}
