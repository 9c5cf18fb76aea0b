import { h } from 'preact';
import {
  deleteApiV1OncallOverridesOverride,
  getApiV1OncallSchedulesSchedule,
  postApiV1OncallOverridesOverride,
  postApiV1OncallSchedulesScheduleOverrides,
  postApiV1OncallSchedulesScheduleSwap,
} from '../api/operations';
import type { PlannedOverride, Shift } from '../api/types';
import { fieldText, momentOf, partners, upcoming } from '../model/shifts';
import { absolute } from '../model/time';
import { may } from '../state/live';
import { Asked } from './asked';
import type { View } from './context';
import { Badge, Fault, Input, Loading, Modal } from './parts';

/** The shifts of four weeks with what is planned, and the orders that change them. */
export function Shifts({ view, schedule }: { view: View; schedule: string }) {
  const known = (view.page.live.schedules ?? []).find((one) => one.name === schedule);
  return (
    <Asked
      id={`${schedule} ${known?.person ?? ''} ${known?.until ?? ''}`}
      every={15}
      ask={(signal: AbortSignal) => view.store.client.send(getApiV1OncallSchedulesSchedule, { schedule }, signal)}
      show={({ data, fault, ask }) => {
        if (fault && !data) return <Fault text={fault} retry={ask} />;
        if (!data) return <Loading lines={4} />;
        const orders = may(view.page.live, 'silence');
        const plan = (shift: Shift) => askToPlan(view, schedule, shift, ask);
        return (
          <div>
            <ul class="lines">
              {data.shifts.map((one) => (
                <li key={one.from} class="row">
                  <span class="grow">
                    {one.person ? <b>{one.person}</b> : <Badge tone="bad" text="nobody" />}{' '}
                    <span class="quiet">{span(one)}</span>
                  </span>
                  {orders ? (
                    <button
                      type="button"
                      class="small"
                      aria-label={`Override the shift from ${absolute(Date.parse(one.from))}`}
                      onClick={() => plan(one)}
                    >
                      Override
                    </button>
                  ) : null}
                  {orders && partners(one, data.shifts).length > 0 ? (
                    <button
                      type="button"
                      class="small"
                      aria-label={`Swap the shift from ${absolute(Date.parse(one.from))}`}
                      onClick={() => askToSwap(view, schedule, one, data.shifts, ask)}
                    >
                      Swap
                    </button>
                  ) : null}
                </li>
              ))}
            </ul>
            {upcoming(data.overrides, view.page.now).map((one) => (
              <p key={one.override} class="row">
                <span class="grow">
                  Planned: <b>{one.person}</b> <span class="quiet">{span(one)}</span>, by {one.by}
                  {one.reason ? `: ${one.reason}` : ''}
                </span>
                {orders ? (
                  <button type="button" class="small" onClick={() => askToChange(view, one, ask)}>
                    Change
                  </button>
                ) : null}
                {orders ? (
                  <button type="button" class="small" onClick={() => askToCancel(view, one, ask)}>
                    Take back
                  </button>
                ) : null}
              </p>
            ))}
            <p class="quiet">Times are those of this browser; the schedule follows {data.time_zone}.</p>
          </div>
        );
      }}
    />
  );
}

function span(shift: { from: string; until: string }): string {
  return `${absolute(Date.parse(shift.from))} to ${absolute(Date.parse(shift.until))}`;
}

function dialog(
  { store }: View,
  title: string,
  confirm: string,
  submit: (form: FormData) => Promise<string>,
  changed: () => void,
  fields: () => any,
): void {
  const close = () => store.change({ dialog: null });
  store.change({
    dialog: {
      render: () => (
        <Modal
          title={title}
          confirm={confirm}
          close={close}
          submit={async (form) => {
            store.say(await submit(form));
            store.load('schedules');
            changed();
          }}
        >
          {fields()}
        </Modal>
      ),
    },
  });
}

function Times({ from, until }: { from: string; until: string }) {
  return (
    <span>
      <label>
        From <Input name="start" type="datetime-local" initial={fieldText(from)} required />
      </label>
      <label>
        Until <Input name="end" type="datetime-local" initial={fieldText(until)} required />
      </label>
    </span>
  );
}

function Why() {
  return (
    <label>
      Reason <Input name="reason" initial="" maxLength={500} autocomplete="off" />
    </label>
  );
}

function text(form: FormData, name: string): string {
  return String(form.get(name) ?? '');
}

function times(form: FormData): { start: string; end: string } {
  return { start: momentOf(text(form, 'start')), end: momentOf(text(form, 'end')) };
}

function askToPlan(view: View, schedule: string, shift: Shift, changed: () => void): void {
  dialog(
    view,
    `Override ${schedule}`,
    'Plan',
    async (form) => {
      const input = { schedule, person: text(form, 'person'), ...times(form), reason: text(form, 'reason') };
      await view.store.client.send(postApiV1OncallSchedulesScheduleOverrides, input);
      return `${input.person} is on call then.`;
    },
    changed,
    () => (
      <div>
        <label>
          Person <Input name="person" initial="" required autocomplete="off" />
        </label>
        <Times from={shift.from} until={shift.until} />
        <Why />
      </div>
    ),
  );
}

function askToSwap(view: View, schedule: string, shift: Shift, shifts: readonly Shift[], changed: () => void): void {
  dialog(
    view,
    `Swap the shift of ${shift.person}`,
    'Swap',
    async (form) => {
      const input = { schedule, first: shift.from, second: text(form, 'second'), reason: text(form, 'reason') };
      await view.store.client.send(postApiV1OncallSchedulesScheduleSwap, input);
      return 'The shifts are swapped.';
    },
    changed,
    () => (
      <div>
        <p class="consequence">{span(shift)}</p>
        <label>
          With{' '}
          <select name="second">
            {partners(shift, shifts).map((one) => (
              <option key={one.from} value={one.from}>
                {`${one.person}, ${span(one)}`}
              </option>
            ))}
          </select>
        </label>
        <Why />
      </div>
    ),
  );
}

function askToChange(view: View, override: PlannedOverride, changed: () => void): void {
  dialog(
    view,
    'Change the override',
    'Change',
    async (form) => {
      const input = {
        override: override.override,
        person: text(form, 'person'),
        ...times(form),
        reason: text(form, 'reason'),
      };
      await view.store.client.send(postApiV1OncallOverridesOverride, input);
      return 'The override is changed.';
    },
    changed,
    () => (
      <div>
        <label>
          Person <Input name="person" initial={override.person} required autocomplete="off" />
        </label>
        <Times from={override.from} until={override.until} />
        <Why />
      </div>
    ),
  );
}

function askToCancel(view: View, override: PlannedOverride, changed: () => void): void {
  dialog(
    view,
    'Take the override back',
    'Take back',
    async (form) => {
      const input = { override: override.override, reason: text(form, 'reason') };
      await view.store.client.send(deleteApiV1OncallOverridesOverride, input);
      return 'The schedule counts again.';
    },
    changed,
    () => (
      <div>
        <p class="consequence">
          {override.person}, {span(override)}
        </p>
        <Why />
      </div>
    ),
  );
}
