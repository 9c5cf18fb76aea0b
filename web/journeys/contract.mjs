// Compiles what a running server answers against web/src/api/types.ts.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The answers of a world, by operation, that the application reads. */
const requests = {
  getApiV1Rollouts: 'v1/rollouts',
  getApiV1RolloutsPlanTasks: 'v1/rollouts/shop/tasks',
  getApiV1Alerts: 'v1/alerts',
  getApiV1Targets: 'v1/targets',
  getApiV1Rules: 'v1/rules',
  getApiV1Bottlenecks: 'v1/bottlenecks',
  getApiV1AccessWhoami: 'v1/access/whoami',
  getApiV1HistoryEvents: 'v1/history/events?limit=200',
  getApiV1HistoryStatus: 'v1/history/status',
  getApiV1HistoryProofEntry: 'v1/history/proof/3',
  getApiV1HistoryConsistency: 'v1/history/consistency?from=1&to=2',
  postApiV1Query: 'v1/query?query=up',
  postApiV1QueryRange: 'v1/query_range?query=up&start=0&end=10&step=5',
  postApiV1Labels: 'v1/labels',
  getApiV1LabelNameValues: 'v1/label/job/values',
  getApiV1Metadata: 'v1/metadata',
  getApiV1StatusTsdb: 'v1/status/tsdb',
  getApiV1StatusConfig: 'v1/status/config',
  getApiV1StatusFlags: 'v1/status/flags',
  getApiV1StatusBuildinfo: 'v1/status/buildinfo',
  getApiV1StatusRuntimeinfo: 'v1/status/runtimeinfo',
  getApiV1Features: 'v1/features',
  getApiV1Explain: 'v1/explain?alert=QueueLong',
  getApiV1OncallPages: 'v1/oncall/pages?state=all',
  getApiV1OncallSchedules: 'v1/oncall/schedules',
  getApiV1OncallSchedulesSchedule: 'v1/oncall/schedules/primary',
  getApiV1OncallPeople: 'v1/oncall/people',
  getApiV1OncallBrowsers: 'v1/oncall/browsers',
  getApiV2Silences: 'v2/silences',
  getApiV2AlertsGroups: 'v2/alerts/groups',
  getApiV2Alerts: 'v2/alerts',
};

/** Fails with the compiler's words where an answer has not the shape that the application expects. */
export async function checkContract(world) {
  const names = Object.keys(requests);
  const answers = await Promise.all(names.map((name) => world.ask(requests[name])));
  const file = join(web, 'test', 'contract-answers.ts');
  const config = join(web, 'contract.json');
  // A literal is checked for members that are missing and of another type; those that the application does not read may be there.
  const lines = names.map(
    (name, index) =>
      `const answer${index} = ${JSON.stringify(answers[index])} as const;\nexport const ${name}: Deep<Answers['${name}']> = answer${index};`,
  );
  writeFileSync(
    file,
    `import { Answers } from '../src/api/types';
type Deep<T> = T extends (infer E)[] ? readonly Deep<E>[] : T extends object ? { readonly [K in keyof T]: Deep<T[K]> } : T;
${lines.join('\n')}\n`,
  );
  writeFileSync(config, JSON.stringify({ extends: './tsconfig.json', files: [file], include: [] }));
  try {
    execFileSync('tsc', ['-p', config], { stdio: 'pipe', encoding: 'utf8' });
  } catch (fault) {
    throw new Error(
      `answers of the server have not the shape of web/src/api/types.ts:\n${fault.stdout.slice(0, 3000)}`,
    );
  } finally {
    rmSync(file, { force: true });
    rmSync(config, { force: true });
  }
}
