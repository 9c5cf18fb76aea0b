import { h } from 'preact';
import { getApiV1RolloutsPlanTasks, postApiV1RolloutsPlanTasks } from '../api/operations';
import type { RollbackTask } from '../api/types';
import { words } from '../model/now';
import { may } from '../state/live';
import { Asked } from './asked';
import type { View } from './context';
import { Badge, Fault, Input, Loading, Modal, Time } from './parts';

const states = ['open', 'in_progress', 'done', 'dropped'];

/** The work that a rollback left to people, with its owners, and how far it is. */
export function Tasks({ view, plan, rollback }: { view: View; plan: string; rollback: string }) {
  return (
    <Asked
      id={`${plan} ${rollback}`}
      every={30}
      ask={(signal: AbortSignal) => view.store.client.send(getApiV1RolloutsPlanTasks, { plan, rollback }, signal)}
      show={({ data, fault, ask }) => {
        if (fault && !data) return <Fault text={fault} retry={ask} />;
        if (!data) return <Loading lines={3} />;
        const tasks = data.rollbacks.flatMap((one) => one.tasks);
        if (tasks.length === 0) return <p class="quiet">The ledger has no tasks of this rollback yet.</p>;
        return (
          <ul class="lines tasks">
            {tasks.map((task) => (
              <li key={`${task.service} ${task.task}`} class="row">
                <Badge
                  tone={task.state === 'done' ? 'good' : task.state === 'open' ? 'warn' : 'plain'}
                  text={words(task.state)}
                />
                <span class="grow">
                  {task.text} <span class="quiet">{task.owner === '' ? 'Nobody yet' : task.owner}</span>
                  {task.note === '' ? null : <span class="quiet">: {task.note}</span>}
                  {task.changed_at ? (
                    <span class="quiet small-text">
                      {' '}
                      <Time at={task.changed_at} now={view.page.now} />
                    </span>
                  ) : null}
                </span>
                {may(view.page.live, 'order') ? (
                  <button
                    type="button"
                    class="small"
                    aria-label={`Change: ${task.text}`}
                    onClick={() => askToChange(view, plan, rollback, task, ask)}
                  >
                    Change
                  </button>
                ) : null}
              </li>
            ))}
          </ul>
        );
      }}
    />
  );
}

function askToChange({ store, page }: View, plan: string, rollback: string, task: RollbackTask, changed: () => void) {
  const close = () => store.change({ dialog: null });
  const submit = async (form: FormData) => {
    const text = (name: string) => String(form.get(name) ?? '');
    await store.client.send(postApiV1RolloutsPlanTasks, {
      plan,
      rollback,
      service: task.service,
      task: task.task,
      state: text('state') as RollbackTask['state'],
      owner: text('owner'),
      note: text('note'),
    });
    store.say('The task is changed.');
    changed();
  };
  const owner = task.owner === '' ? (page.live.identity?.name ?? '') : task.owner;
  store.change({
    dialog: {
      render: () => (
        <Modal title={task.text} confirm="Change" close={close} submit={submit}>
          <label>
            State{' '}
            <select name="state" data-first>
              {states.map((state) => (
                <option key={state} value={state} selected={state === task.state}>
                  {words(state)}
                </option>
              ))}
            </select>
          </label>
          <label>
            Owner <Input name="owner" initial={owner} maxLength={200} autocomplete="off" />
          </label>
          <label>
            Note <Input name="note" initial={task.note} maxLength={1000} autocomplete="off" />
          </label>
        </Modal>
      ),
    },
  });
}
