// Generated from the OpenAPI document by web/tools/generate-client.mjs. Do not edit.
import { Operation } from './client';

/** Evaluates an expression at one time. */
export const postApiV1Query: Operation<'postApiV1Query', { 'query': string; 'time'?: string | number; 'timeout'?: string; 'limit'?: number; 'lookback_delta'?: string; 'stats'?: 'true' | 'all' }> = {
  method: 'POST', path: 'v1/query', permission: 'read', kind: 'data',
};

/** Evaluates an expression at every step of a range of time. */
export const postApiV1QueryRange: Operation<'postApiV1QueryRange', { 'query': string; 'start': string | number; 'end': string | number; 'step': string; 'timeout'?: string; 'limit'?: number; 'lookback_delta'?: string; 'stats'?: 'true' | 'all' }> = {
  method: 'POST', path: 'v1/query_range', permission: 'read', kind: 'data',
};

/** Lists exemplars of the series that an expression selects. */
export const postApiV1QueryExemplars: Operation<'postApiV1QueryExemplars', { 'query': string; 'start'?: string | number; 'end'?: string | number }> = {
  method: 'POST', path: 'v1/query_exemplars', permission: 'read', kind: 'data',
};

/** Formats an expression. */
export const postApiV1FormatQuery: Operation<'postApiV1FormatQuery', { 'query': string }> = {
  method: 'POST', path: 'v1/format_query', permission: 'read', kind: 'data',
};

/** Parses an expression into a syntax tree. */
export const postApiV1ParseQuery: Operation<'postApiV1ParseQuery', { 'query': string }> = {
  method: 'POST', path: 'v1/parse_query', permission: 'read', kind: 'data',
};

/** Lists the label sets of series. */
export const postApiV1Series: Operation<'postApiV1Series', { 'match[]': readonly (string)[]; 'start'?: string | number; 'end'?: string | number; 'limit'?: number }> = {
  method: 'POST', path: 'v1/series', permission: 'read', kind: 'data',
};

/** Lists label names. */
export const postApiV1Labels: Operation<'postApiV1Labels', { 'match[]'?: readonly (string)[]; 'start'?: string | number; 'end'?: string | number; 'limit'?: number }> = {
  method: 'POST', path: 'v1/labels', permission: 'read', kind: 'data',
};

/** Lists the values of a label. */
export const getApiV1LabelNameValues: Operation<'getApiV1LabelNameValues', { 'name': string; 'match[]'?: readonly (string)[]; 'start'?: string | number; 'end'?: string | number; 'limit'?: number }> = {
  method: 'GET', path: 'v1/label/{name}/values', permission: 'read', kind: 'data',
};

/** Lists what targets say about metric families. */
export const getApiV1Metadata: Operation<'getApiV1Metadata', { 'limit'?: number; 'limit_per_metric'?: number; 'metric'?: string }> = {
  method: 'GET', path: 'v1/metadata', permission: 'read', kind: 'data',
};

/** Lists what each target says about metric families. */
export const getApiV1TargetsMetadata: Operation<'getApiV1TargetsMetadata', { 'match_target'?: string; 'metric'?: string; 'limit'?: number }> = {
  method: 'GET', path: 'v1/targets/metadata', permission: 'read', kind: 'data',
};

/** Shows how many series there are, by metric and label. */
export const getApiV1StatusTsdb: Operation<'getApiV1StatusTsdb', { 'limit'?: number }> = {
  method: 'GET', path: 'v1/status/tsdb', permission: 'read', kind: 'data',
};

/** Lists targets with their health. */
export const getApiV1Targets: Operation<'getApiV1Targets', { 'state'?: 'active' | 'dropped' | 'any'; 'scrapePool'?: string }> = {
  method: 'GET', path: 'v1/targets', permission: 'read', kind: 'data',
};

/** Lists the jobs. */
export const getApiV1ScrapePools: Operation<'getApiV1ScrapePools', {}> = {
  method: 'GET', path: 'v1/scrape_pools', permission: 'read', kind: 'data',
};

/** Lists rule groups with the state of their rules. */
export const getApiV1Rules: Operation<'getApiV1Rules', { 'type'?: 'alert' | 'record'; 'rule_name[]'?: readonly (string)[]; 'rule_group[]'?: readonly (string)[]; 'file[]'?: readonly (string)[]; 'match[]'?: readonly (string)[]; 'exclude_alerts'?: boolean; 'group_limit'?: number; 'group_next_token'?: string }> = {
  method: 'GET', path: 'v1/rules', permission: 'read', kind: 'data',
};

/** Lists alerts that are pending or firing. */
export const getApiV1Alerts: Operation<'getApiV1Alerts', {}> = {
  method: 'GET', path: 'v1/alerts', permission: 'read', kind: 'data',
};

/** Lists the Alertmanagers that alerts are sent to. */
export const getApiV1Alertmanagers: Operation<'getApiV1Alertmanagers', {}> = {
  method: 'GET', path: 'v1/alertmanagers', permission: 'read', kind: 'data',
};

/** Shows the configuration in force, without secrets. */
export const getApiV1StatusConfig: Operation<'getApiV1StatusConfig', {}> = {
  method: 'GET', path: 'v1/status/config', permission: 'read', kind: 'data',
};

/** Shows the command-line flags. */
export const getApiV1StatusFlags: Operation<'getApiV1StatusFlags', {}> = {
  method: 'GET', path: 'v1/status/flags', permission: 'read', kind: 'data',
};

/** Shows what this program is. */
export const getApiV1StatusBuildinfo: Operation<'getApiV1StatusBuildinfo', {}> = {
  method: 'GET', path: 'v1/status/buildinfo', permission: 'read', kind: 'data',
};

/** Shows the state of the process. */
export const getApiV1StatusRuntimeinfo: Operation<'getApiV1StatusRuntimeinfo', {}> = {
  method: 'GET', path: 'v1/status/runtimeinfo', permission: 'read', kind: 'data',
};

/** Shows how far the store has been read at the start. */
export const getApiV1StatusWalreplay: Operation<'getApiV1StatusWalreplay', {}> = {
  method: 'GET', path: 'v1/status/walreplay', permission: 'read', kind: 'data',
};

/** Lists what this server supports. */
export const getApiV1Features: Operation<'getApiV1Features', {}> = {
  method: 'GET', path: 'v1/features', permission: 'read', kind: 'data',
};

/** Lists problems of the server. */
export const getApiV1Notifications: Operation<'getApiV1Notifications', {}> = {
  method: 'GET', path: 'v1/notifications', permission: 'read', kind: 'data',
};

/** Deletes the samples of series in a window. */
export const postApiV1AdminTsdbDeleteSeries: Operation<'postApiV1AdminTsdbDeleteSeries', { 'match[]': readonly (string)[]; 'start'?: string | number; 'end'?: string | number }> = {
  method: 'POST', path: 'v1/admin/tsdb/delete_series', permission: 'administer', kind: 'text',
};

/** Accepted; deleted samples leave the disk with their segment. */
export const postApiV1AdminTsdbCleanTombstones: Operation<'postApiV1AdminTsdbCleanTombstones', {}> = {
  method: 'POST', path: 'v1/admin/tsdb/clean_tombstones', permission: 'administer', kind: 'text',
};

/** Copies the samples to a directory of its own. */
export const postApiV1AdminTsdbSnapshot: Operation<'postApiV1AdminTsdbSnapshot', { 'skip_head'?: boolean }> = {
  method: 'POST', path: 'v1/admin/tsdb/snapshot', permission: 'administer', kind: 'json',
};

/** Streams problems of the server; not offered. */
export const getApiV1NotificationsLive: Operation<'getApiV1NotificationsLive', {}> = {
  method: 'GET', path: 'v1/notifications/live', permission: 'read', kind: 'text',
};

/** Lists silences. */
export const getApiV2Silences: Operation<'getApiV2Silences', { 'filter'?: readonly (string)[]; 'creator'?: readonly (string)[] }> = {
  method: 'GET', path: 'v2/silences', permission: 'read', kind: 'json',
};

/** Creates or changes a silence. */
export const postApiV2Silences: Operation<'postApiV2Silences', { 'body': unknown }> = {
  method: 'POST', path: 'v2/silences', permission: 'silence', kind: 'json',
};

/** Shows a silence. */
export const getApiV2SilenceId: Operation<'getApiV2SilenceId', { 'id': string }> = {
  method: 'GET', path: 'v2/silence/{id}', permission: 'read', kind: 'json',
};

/** Expires a silence. */
export const deleteApiV2SilenceId: Operation<'deleteApiV2SilenceId', { 'id': string }> = {
  method: 'DELETE', path: 'v2/silence/{id}', permission: 'silence', kind: 'text',
};

/** Lists firing alerts. */
export const getApiV2Alerts: Operation<'getApiV2Alerts', { 'active'?: boolean; 'silenced'?: boolean; 'inhibited'?: boolean; 'muted'?: boolean; 'filter'?: readonly (string)[]; 'receiver'?: string }> = {
  method: 'GET', path: 'v2/alerts', permission: 'read', kind: 'json',
};

/** Takes alerts from outside. */
export const postApiV2Alerts: Operation<'postApiV2Alerts', { 'body': unknown }> = {
  method: 'POST', path: 'v2/alerts', permission: 'alert', kind: 'text',
};

/** Lists firing alerts by notification group. */
export const getApiV2AlertsGroups: Operation<'getApiV2AlertsGroups', { 'active'?: boolean; 'silenced'?: boolean; 'inhibited'?: boolean; 'muted'?: boolean; 'filter'?: readonly (string)[]; 'receiver'?: string }> = {
  method: 'GET', path: 'v2/alerts/groups', permission: 'read', kind: 'json',
};

/** Lists receivers. */
export const getApiV2Receivers: Operation<'getApiV2Receivers', {}> = {
  method: 'GET', path: 'v2/receivers', permission: 'read', kind: 'json',
};

/** Shows the notification configuration and the version. */
export const getApiV2Status: Operation<'getApiV2Status', {}> = {
  method: 'GET', path: 'v2/status', permission: 'read', kind: 'json',
};

/** Lists rollouts with the traffic of their services. */
export const getApiV1Rollouts: Operation<'getApiV1Rollouts', {}> = {
  method: 'GET', path: 'v1/rollouts', permission: 'read', kind: 'data',
};

/** Shows a rollout. */
export const getApiV1RolloutsPlan: Operation<'getApiV1RolloutsPlan', { 'plan': string }> = {
  method: 'GET', path: 'v1/rollouts/{plan}', permission: 'read', kind: 'data',
};

/** Shows the report of a rollback, in Markdown. */
export const getApiV1RolloutsPlanReport: Operation<'getApiV1RolloutsPlanReport', { 'plan': string; 'rollback'?: string }> = {
  method: 'GET', path: 'v1/rollouts/{plan}/report', permission: 'read', kind: 'data',
};

/** Lists past rollouts with their orders and rollbacks, from the ledger, newest first. */
export const getApiV1RolloutsPlanHistory: Operation<'getApiV1RolloutsPlanHistory', { 'plan': string; 'limit'?: number }> = {
  method: 'GET', path: 'v1/rollouts/{plan}/history', permission: 'read', kind: 'data',
};

/** Gives an order to a rollout. */
export const postApiV1RolloutsPlanVerb: Operation<'postApiV1RolloutsPlanVerb', { 'plan': string; 'verb': 'start' | 'pause' | 'resume' | 'promote' | 'abort' | 'rollback' | 'abandon-route' | 'acknowledge' | 'adopt' | 'observe' | 'finish-upgrade'; 'reason'?: string; 'actor'?: string; 'service'?: readonly (string)[]; 'route'?: number; 'for'?: string; 'without_data'?: 'true'; 'full'?: 'true' }> = {
  method: 'POST', path: 'v1/rollouts/{plan}/{verb}', permission: 'order', kind: 'data',
};

/** Streams changes of rollouts, alerts and targets as server-sent events. */
export const getApiV1EventsStream: Operation<'getApiV1EventsStream', {}> = {
  method: 'GET', path: 'v1/events/stream', permission: 'read', kind: 'text',
};

/** Ranks what limits the services. */
export const getApiV1Bottlenecks: Operation<'getApiV1Bottlenecks', {}> = {
  method: 'GET', path: 'v1/bottlenecks', permission: 'read', kind: 'data',
};

/** Shows the coordination of improvements: state, queue, last cycle. */
export const getApiV1Orchestration: Operation<'getApiV1Orchestration', {}> = {
  method: 'GET', path: 'v1/orchestration', permission: 'read', kind: 'data',
};

/** Explains why notifications of an alert were sent or not. */
export const getApiV1Explain: Operation<'getApiV1Explain', { 'alert': string; 'time'?: string | number; 'filter'?: readonly (string)[] }> = {
  method: 'GET', path: 'v1/explain', permission: 'read', kind: 'data',
};

/** Records evidence for a check: a measurement by this server, an attestation of a person, or a report. */
export const postApiV1Evidence: Operation<'postApiV1Evidence', { 'check': string; 'service'?: string; 'plan'?: string; 'expr'?: string; 'healthy'?: string; 'statement'?: string; 'expires'?: string | number; 'outcome'?: 'passed' | 'failed' | 'unknown'; 'value'?: string; 'target'?: string; 'detail'?: string }> = {
  method: 'POST', path: 'v1/evidence', permission: 'order', kind: 'data',
};

/** Lists the verdicts about releases that other controllers move. */
export const getApiV1Verdicts: Operation<'getApiV1Verdicts', {}> = {
  method: 'GET', path: 'v1/verdicts', permission: 'read', kind: 'data',
};

/** Says whether a release is healthy, as Argo Rollouts asks. The first question about a release begins it. */
export const getApiV1VerdictsName: Operation<'getApiV1VerdictsName', { 'name': string; 'release'?: string }> = {
  method: 'GET', path: 'v1/verdicts/{name}', permission: 'verdict', kind: 'data',
};

/** Answers a webhook of Flagger: 200 for yes, 409 for no, with the reason. */
export const postApiV1VerdictsNameFlagger: Operation<'postApiV1VerdictsNameFlagger', { 'name': string; 'type'?: 'confirm-rollout' | 'pre-rollout' | 'rollout' | 'confirm-traffic-increase' | 'confirm-promotion' | 'rollback' | 'post-rollout' | 'event'; 'body': unknown }> = {
  method: 'POST', path: 'v1/verdicts/{name}/flagger', permission: 'verdict', kind: 'text',
};

/** Ends the release of a verdict, so that the next question begins one anew. */
export const postApiV1VerdictsNameEnd: Operation<'postApiV1VerdictsNameEnd', { 'name': string }> = {
  method: 'POST', path: 'v1/verdicts/{name}/end', permission: 'order', kind: 'data',
};

/** Lists the work that rollbacks left to people, newest first. */
export const getApiV1RolloutsPlanTasks: Operation<'getApiV1RolloutsPlanTasks', { 'plan': string; 'rollback'?: string; 'state'?: 'open' | 'in_progress' | 'done' | 'dropped' }> = {
  method: 'GET', path: 'v1/rollouts/{plan}/tasks', permission: 'read', kind: 'data',
};

/** Changes the state, the owner or the note of work that a rollback left. */
export const postApiV1RolloutsPlanTasks: Operation<'postApiV1RolloutsPlanTasks', { 'plan': string; 'rollback': string; 'service': string; 'task': 'root_cause' | 'debugging' | 'fix' | 'retry_plan' | 'lessons'; 'state'?: 'open' | 'in_progress' | 'done' | 'dropped'; 'owner'?: string; 'note'?: string }> = {
  method: 'POST', path: 'v1/rollouts/{plan}/tasks', permission: 'order', kind: 'data',
};

/** Lists pages, the newest first. */
export const getApiV1OncallPages: Operation<'getApiV1OncallPages', { 'state'?: 'open' | 'escalating' | 'acknowledged' | 'snoozed' | 'resolved' | 'all' }> = {
  method: 'GET', path: 'v1/oncall/pages', permission: 'read', kind: 'data',
};

/** Opens a page by hand. */
export const postApiV1OncallPages: Operation<'postApiV1OncallPages', { 'title': string; 'policy': string; 'severity'?: string; 'actor'?: string }> = {
  method: 'POST', path: 'v1/oncall/pages', permission: 'silence', kind: 'data',
};

/** Shows a page. */
export const getApiV1OncallPagesPage: Operation<'getApiV1OncallPagesPage', { 'page': string }> = {
  method: 'GET', path: 'v1/oncall/pages/{page}', permission: 'read', kind: 'data',
};

/** Answers a page. */
export const postApiV1OncallPagesPageVerb: Operation<'postApiV1OncallPagesPageVerb', { 'page': string; 'verb': 'acknowledge' | 'resolve' | 'snooze' | 'reassign' | 'escalate' | 'note'; 'until'?: string | number; 'for'?: string; 'policy'?: string; 'person'?: string; 'text'?: string; 'actor'?: string }> = {
  method: 'POST', path: 'v1/oncall/pages/{page}/{verb}', permission: 'silence', kind: 'data',
};

/** Lists schedules with the person on call and the next change. */
export const getApiV1OncallSchedules: Operation<'getApiV1OncallSchedules', { 'time'?: string | number }> = {
  method: 'GET', path: 'v1/oncall/schedules', permission: 'read', kind: 'data',
};

/** Shows the shifts of a schedule, and what is planned. */
export const getApiV1OncallSchedulesSchedule: Operation<'getApiV1OncallSchedulesSchedule', { 'schedule': string; 'start'?: string | number; 'end'?: string | number }> = {
  method: 'GET', path: 'v1/oncall/schedules/{schedule}', permission: 'read', kind: 'data',
};

/** Puts a person on call for some time, whatever the schedule says. */
export const postApiV1OncallSchedulesScheduleOverrides: Operation<'postApiV1OncallSchedulesScheduleOverrides', { 'schedule': string; 'person': string; 'start': string | number; 'end': string | number; 'reason'?: string; 'actor'?: string }> = {
  method: 'POST', path: 'v1/oncall/schedules/{schedule}/overrides', permission: 'silence', kind: 'data',
};

/** Gives the shift at a time to a person; of a shift that has begun, the rest. */
export const postApiV1OncallSchedulesScheduleTake: Operation<'postApiV1OncallSchedulesScheduleTake', { 'schedule': string; 'person': string; 'time'?: string | number; 'reason'?: string; 'actor'?: string }> = {
  method: 'POST', path: 'v1/oncall/schedules/{schedule}/take', permission: 'silence', kind: 'data',
};

/** Lets the people of two shifts take each other's. */
export const postApiV1OncallSchedulesScheduleSwap: Operation<'postApiV1OncallSchedulesScheduleSwap', { 'schedule': string; 'first': string | number; 'second': string | number; 'reason'?: string; 'actor'?: string }> = {
  method: 'POST', path: 'v1/oncall/schedules/{schedule}/swap', permission: 'silence', kind: 'data',
};

/** Changes a planned override. */
export const postApiV1OncallOverridesOverride: Operation<'postApiV1OncallOverridesOverride', { 'override': string; 'person'?: string; 'start'?: string | number; 'end'?: string | number; 'reason'?: string; 'actor'?: string }> = {
  method: 'POST', path: 'v1/oncall/overrides/{override}', permission: 'silence', kind: 'data',
};

/** Takes a planned override back. */
export const deleteApiV1OncallOverridesOverride: Operation<'deleteApiV1OncallOverridesOverride', { 'override': string; 'reason'?: string; 'actor'?: string }> = {
  method: 'DELETE', path: 'v1/oncall/overrides/{override}', permission: 'silence', kind: 'data',
};

/** Lists people with the paths of their calendars. */
export const getApiV1OncallPeople: Operation<'getApiV1OncallPeople', {}> = {
  method: 'GET', path: 'v1/oncall/people', permission: 'read', kind: 'data',
};

/** Lists the browsers that are notified, with the key that browsers subscribe with. */
export const getApiV1OncallBrowsers: Operation<'getApiV1OncallBrowsers', {}> = {
  method: 'GET', path: 'v1/oncall/browsers', permission: 'read', kind: 'data',
};

/** Lets a browser be notified of the calls to a person. */
export const postApiV1OncallBrowsers: Operation<'postApiV1OncallBrowsers', { 'person': string; 'endpoint': string; 'p256dh': string; 'auth': string; 'name'?: string }> = {
  method: 'POST', path: 'v1/oncall/browsers', permission: 'silence', kind: 'data',
};

/** Lets a browser not be notified any more. */
export const deleteApiV1OncallBrowsersBrowser: Operation<'deleteApiV1OncallBrowsersBrowser', { 'browser': string }> = {
  method: 'DELETE', path: 'v1/oncall/browsers/{browser}', permission: 'silence', kind: 'data',
};

/** Shows who the server takes the client for. */
export const getApiV1AccessWhoami: Operation<'getApiV1AccessWhoami', {}> = {
  method: 'GET', path: 'v1/access/whoami', permission: 'read', kind: 'data',
};

/** Lists the identities of the configuration, with their last use. */
export const getApiV1AccessIdentities: Operation<'getApiV1AccessIdentities', {}> = {
  method: 'GET', path: 'v1/access/identities', permission: 'audit', kind: 'data',
};

/** Ends the block of the clients at an address. */
export const postApiV1AccessUnblock: Operation<'postApiV1AccessUnblock', { 'address': string }> = {
  method: 'POST', path: 'v1/access/unblock', permission: 'administer', kind: 'data',
};

/** Exchanges the proof of an identity for short-lived tokens. */
export const postApiV1AccessToken: Operation<'postApiV1AccessToken', {}> = {
  method: 'POST', path: 'v1/access/token', permission: 'session', kind: 'data',
};

/** Exchanges a refresh token for new tokens, once. */
export const postApiV1AccessRefresh: Operation<'postApiV1AccessRefresh', { 'refresh_token': string }> = {
  method: 'POST', path: 'v1/access/refresh', permission: 'probe', kind: 'data',
};

/** Ends the session of a refresh token. */
export const postApiV1AccessRevoke: Operation<'postApiV1AccessRevoke', { 'refresh_token': string }> = {
  method: 'POST', path: 'v1/access/revoke', permission: 'probe', kind: 'data',
};

/** Lists events of the ledger, newest first. */
export const getApiV1HistoryEvents: Operation<'getApiV1HistoryEvents', { 'kind'?: readonly ('violation' | 'decision' | 'rollback_step' | 'alert' | 'page' | 'acknowledgement' | 'schedule' | 'silence' | 'deployment' | 'checkpoint' | 'verdict' | 'config_change' | 'order' | 'login' | 'denied' | 'token_use' | 'migration' | 'retention' | 'measurements' | 'node_key' | 'erasure' | 'gap' | 'damage')[]; 'subject'?: string; 'service'?: string; 'incident'?: string; 'text'?: string; 'start'?: string | number; 'end'?: string | number; 'cursor'?: string; 'limit'?: number }> = {
  method: 'GET', path: 'v1/history/events', permission: 'read', kind: 'data',
};

/** Shows the state of the history and its last verification. */
export const getApiV1HistoryStatus: Operation<'getApiV1HistoryStatus', {}> = {
  method: 'GET', path: 'v1/history/status', permission: 'read', kind: 'data',
};

/** Shows the latest measurements of a service. */
export const getApiV1HistoryMetricsService: Operation<'getApiV1HistoryMetricsService', { 'service': string }> = {
  method: 'GET', path: 'v1/history/metrics/{service}', permission: 'read', kind: 'data',
};

/** Lists days of services: violations, rollbacks and daily rollups of what was measured. */
export const getApiV1HistoryDays: Operation<'getApiV1HistoryDays', { 'start'?: string | number; 'end'?: string | number; 'service'?: string }> = {
  method: 'GET', path: 'v1/history/days', permission: 'read', kind: 'data',
};

/** Makes an evidence pack of a period: a ZIP archive with report, entries, proofs, configuration, verifier. */
export const getApiV1HistoryPack: Operation<'getApiV1HistoryPack', { 'start': string | number; 'end'?: string | number; 'service'?: string }> = {
  method: 'GET', path: 'v1/history/pack', permission: 'audit', kind: 'text',
};

/** Shows the newest checkpoint, a signed note of C2SP. */
export const getApiV1HistoryCheckpoint: Operation<'getApiV1HistoryCheckpoint', {}> = {
  method: 'GET', path: 'v1/history/checkpoint', permission: 'read', kind: 'text',
};

/** Proves that an entry is in the record of the newest checkpoint. */
export const getApiV1HistoryProofEntry: Operation<'getApiV1HistoryProofEntry', { 'entry': number }> = {
  method: 'GET', path: 'v1/history/proof/{entry}', permission: 'read', kind: 'data',
};

/** Proves that the record continues a smaller one. */
export const getApiV1HistoryConsistency: Operation<'getApiV1HistoryConsistency', { 'from'?: number; 'to'?: number }> = {
  method: 'GET', path: 'v1/history/consistency', permission: 'read', kind: 'data',
};

/** Lists the newest records of analyze-deployment. */
export const getApiV1AnalyzeDeployment: Operation<'getApiV1AnalyzeDeployment', { 'limit'?: number }> = {
  method: 'GET', path: 'v1/analyze-deployment', permission: 'gate', kind: 'data',
};

/** Creates a record of analyze-deployment. */
export const postApiV1AnalyzeDeployment: Operation<'postApiV1AnalyzeDeployment', { 'body': unknown }> = {
  method: 'POST', path: 'v1/analyze-deployment', permission: 'gate', kind: 'data',
};

/** Shows a record of analyze-deployment. */
export const getApiV1AnalyzeDeploymentId: Operation<'getApiV1AnalyzeDeploymentId', { 'id': string }> = {
  method: 'GET', path: 'v1/analyze-deployment/{id}', permission: 'gate', kind: 'data',
};

/** Lists the newest records of analyze-performance-change. */
export const getApiV1AnalyzePerformanceChange: Operation<'getApiV1AnalyzePerformanceChange', { 'limit'?: number }> = {
  method: 'GET', path: 'v1/analyze-performance-change', permission: 'gate', kind: 'data',
};

/** Creates a record of analyze-performance-change. */
export const postApiV1AnalyzePerformanceChange: Operation<'postApiV1AnalyzePerformanceChange', { 'body': unknown }> = {
  method: 'POST', path: 'v1/analyze-performance-change', permission: 'gate', kind: 'data',
};

/** Shows a record of analyze-performance-change. */
export const getApiV1AnalyzePerformanceChangeId: Operation<'getApiV1AnalyzePerformanceChangeId', { 'id': string }> = {
  method: 'GET', path: 'v1/analyze-performance-change/{id}', permission: 'gate', kind: 'data',
};

/** Lists the newest records of improvements. */
export const getApiV1Improvements: Operation<'getApiV1Improvements', { 'limit'?: number }> = {
  method: 'GET', path: 'v1/improvements', permission: 'gate', kind: 'data',
};

/** Creates a record of improvements. */
export const postApiV1Improvements: Operation<'postApiV1Improvements', { 'body': unknown }> = {
  method: 'POST', path: 'v1/improvements', permission: 'gate', kind: 'data',
};

/** Shows a record of improvements. */
export const getApiV1ImprovementsId: Operation<'getApiV1ImprovementsId', { 'id': string }> = {
  method: 'GET', path: 'v1/improvements/{id}', permission: 'gate', kind: 'data',
};

/** Reports the progress of an improvement. */
export const postApiV1ImprovementsId: Operation<'postApiV1ImprovementsId', { 'id': string; 'body': unknown }> = {
  method: 'POST', path: 'v1/improvements/{id}', permission: 'gate', kind: 'data',
};

/** Lists the newest records of safety/checkpoint. */
export const getApiV1SafetyCheckpoint: Operation<'getApiV1SafetyCheckpoint', { 'limit'?: number }> = {
  method: 'GET', path: 'v1/safety/checkpoint', permission: 'gate', kind: 'data',
};

/** Creates a record of safety/checkpoint. */
export const postApiV1SafetyCheckpoint: Operation<'postApiV1SafetyCheckpoint', { 'body': unknown }> = {
  method: 'POST', path: 'v1/safety/checkpoint', permission: 'gate', kind: 'data',
};

/** Shows a record of safety/checkpoint. */
export const getApiV1SafetyCheckpointId: Operation<'getApiV1SafetyCheckpointId', { 'id': string }> = {
  method: 'GET', path: 'v1/safety/checkpoint/{id}', permission: 'gate', kind: 'data',
};

/** Restores the weights of a checkpoint. */
export const postApiV1SafetyCheckpointIdRestore: Operation<'postApiV1SafetyCheckpointIdRestore', { 'id': string; 'body': unknown }> = {
  method: 'POST', path: 'v1/safety/checkpoint/{id}/restore', permission: 'gate', kind: 'data',
};

/** Counts requests, failures, latencies and scores of services, for a later comparison. */
export const postApiV1ServiceMetrics: Operation<'postApiV1ServiceMetrics', { 'body': unknown }> = {
  method: 'POST', path: 'v1/service-metrics', permission: 'gate', kind: 'data',
};

/** Takes samples by remote write, version 1 or 2. */
export const postApiV1Write: Operation<'postApiV1Write', {}> = {
  method: 'POST', path: 'v1/write', permission: 'write', kind: 'text',
};

/** Takes metrics of OpenTelemetry by OTLP. */
export const postApiV1OtlpV1Metrics: Operation<'postApiV1OtlpV1Metrics', { 'body': unknown }> = {
  method: 'POST', path: 'v1/otlp/v1/metrics', permission: 'write', kind: 'json',
};

/** Shows this document. */
export const getApiV1OpenapiJson: Operation<'getApiV1OpenapiJson', {}> = {
  method: 'GET', path: 'v1/openapi.json', permission: 'read', kind: 'json',
};
