import { h } from 'preact';
import {
  getApiV1OncallPages,
  getApiV1OncallPagesPage,
  getApiV1OncallPeople,
  postApiV1OncallPages,
  postApiV1OncallPagesPageVerb,
} from '../api/operations';
import type { Page } from '../api/types';
import { answers, type PageAnswer, pageTone } from '../model/oncall';
import { absolute, duration } from '../model/time';
import { link } from '../router';
import { may } from '../state/live';
import { Asked } from './asked';
import { Browsers } from './browsers';
import type { View } from './context';
import { Badge, Card, Copy, Empty, Fault, Input, Labels, Loading, Modal, Time } from './parts';
import { Shifts } from './shifts';

/** Pages that somebody must act on, and who is called. */
export function OnCallView(view: View) {
  const { page, store } = view;
  const isAll = page.place.parameters.get('state') === 'all';
  const open = page.live.pages;
  const toggle = (state: string) => store.replace(link(['oncall'], { state }));
  return (
    <div class="view">
      <header class="title-row">
        <h1 class="title">On-call</h1>
        <span class="group" role="group" aria-label="Pages">
          <button type="button" aria-pressed={String(!isAll)} onClick={() => toggle('')}>
            open
          </button>
          <button type="button" aria-pressed={String(isAll)} onClick={() => toggle('all')}>
            all
          </button>
        </span>
        {may(page.live, 'silence') ? (
          <button type="button" onClick={() => askToOpen(view)}>
            Open a page
          </button>
        ) : null}
      </header>
      <Card id="schedules" title="Who is on call">
        <Schedules view={view} />
      </Card>
      {(page.live.schedules ?? []).map((one) => (
        <Card key={one.name} id={`shifts-${one.name}`} title={`Shifts of ${one.name}`} wide>
          <Shifts view={view} schedule={one.name} />
        </Card>
      ))}
      <Card id="pages" title={isAll ? 'Pages' : 'Open pages'} wide>
        {isAll ? (
          <Asked
            id="all"
            every={10}
            ask={(signal: AbortSignal) => store.client.send(getApiV1OncallPages, { state: 'all' }, signal)}
            show={({ data, fault, ask }) =>
              fault ? <Fault text={fault} retry={ask} /> : <PageList view={view} pages={data?.pages} />
            }
          />
        ) : (
          <PageList view={view} pages={open} />
        )}
      </Card>
      <Card id="browsers" title="Browsers that are notified" wide>
        <Browsers view={view} />
      </Card>
      <Card id="people" title="People" wide>
        <People view={view} />
      </Card>
    </div>
  );
}

function Schedules({ view }: { view: View }) {
  const { schedules } = view.page.live;
  if (schedules === undefined) return <Loading lines={2} />;
  if (schedules.length === 0) {
    return (
      <Empty title="No schedule is configured.">
        <p class="quiet">
          Write an <code>oncall.yml</code> and name it in <code>oncall_config:</code> of <code>tribune.yml</code>.
        </p>
      </Empty>
    );
  }
  return (
    <dl class="facts">
      {schedules.map((one) => [
        <dt key={`t${one.name}`}>{one.name}</dt>,
        <dd key={`d${one.name}`}>
          {one.person ? <b>{one.person}</b> : <Badge tone="bad" text="nobody" />}
          {one.until ? (
            <span class="quiet">
              {' '}
              <span title={absolute(Date.parse(one.until))}>
                for another {duration((Date.parse(one.until) - view.page.now) / 1000)}
              </span>
              , then {one.next ?? 'nobody'}
            </span>
          ) : null}
        </dd>,
      ])}
    </dl>
  );
}

function PageList({ view, pages }: { view: View; pages: Page[] | undefined }) {
  if (pages === undefined) return <Loading lines={3} />;
  if (pages.length === 0) {
    return (
      <Empty title="No page is open.">
        <p class="quiet">Alerts of the receivers that oncall.yml names open pages.</p>
      </Empty>
    );
  }
  return (
    <ul class="pages">
      {pages.map((one) => (
        <li key={one.page}>
          <Badge tone={pageTone(one)} text={one.state} />
          <a class="grow" href={link(['oncall', one.page])}>
            <b>{one.title}</b>
            <span class="quiet">
              {one.severity} · opened <Time at={one.opened} now={view.page.now} />
              {one.by ? ` · ${one.by}` : ''}
              {one.child_of ? ' · held by another page' : ''}
              {one.flapping ? ' · comes and goes' : ''}
              {one.next_call ? (
                <span>
                  {' '}
                  · next call <Time at={one.next_call} now={view.page.now} />
                </span>
              ) : null}
            </span>
          </a>
          <Answers view={view} page={one} most={2} />
        </li>
      ))}
    </ul>
  );
}

function Answers({ view, page, most }: { view: View; page: Page; most?: number }) {
  if (!may(view.page.live, 'silence')) return <span class="quiet">You may not answer pages here.</span>;
  return (
    <span class="row">
      {answers(page)
        .slice(0, most)
        .map((one) => (
          <button
            type="button"
            class="small"
            key={one.verb}
            aria-label={`${one.title}: ${page.title}`}
            onClick={() => askForAnswer(view, page, one)}
          >
            {one.title}
          </button>
        ))}
    </span>
  );
}

function askForAnswer({ store }: View, page: Page, answer: PageAnswer): void {
  const close = () => store.change({ dialog: null });
  const { field } = answer;
  store.change({
    dialog: {
      render: () => (
        <Modal
          title={`${answer.title}: ${page.title}`}
          confirm={answer.title}
          close={close}
          submit={async (form) => {
            const value = field ? { [field.name]: String(form.get(field.name)) } : {};
            const input = { page: page.page, verb: answer.verb, ...value };
            const done = await store.client.send(postApiV1OncallPagesPageVerb, input);
            store.say(done.accepted ? `${answer.title}: done.` : `Nothing to do: ${done.ignored ?? ''}`);
            store.load('pages');
          }}
        >
          <p class="consequence">{answer.consequence}</p>
          {field ? (
            <label>
              {field.label} <Input name={field.name} initial={field.initial} required autocomplete="off" />
            </label>
          ) : null}
        </Modal>
      ),
    },
  });
}

function askToOpen({ store }: View): void {
  const close = () => store.change({ dialog: null });
  store.change({
    dialog: {
      render: () => (
        <Modal
          title="Open a page"
          confirm="Call people"
          close={close}
          submit={async (form) => {
            const input = { title: String(form.get('title')), policy: String(form.get('policy')) };
            await store.client.send(postApiV1OncallPages, input);
            store.say('The page is open.');
            store.load('pages');
          }}
        >
          <label>
            What happened <Input name="title" initial="" required maxLength={200} autocomplete="off" />
          </label>
          <label>
            Policy <Input name="policy" initial="default" required autocomplete="off" />
          </label>
        </Modal>
      ),
    },
  });
}

/** People with their contacts and a calendar for their phone. */
function People({ view }: { view: View }) {
  return (
    <Asked
      id="people"
      ask={(signal: AbortSignal) => view.store.client.send(getApiV1OncallPeople, {}, signal)}
      show={({ data, fault, ask }) => {
        if (fault) return <Fault text={fault} retry={ask} />;
        if (!data) return <Loading lines={2} />;
        if (data.people.length === 0) return <Empty title="Nobody is configured." />;
        return (
          <ul class="lines">
            {data.people.map((one) => {
              const address = new URL(`..${one.calendar}`, document.baseURI).href;
              const contacts = one.contacts
                .map((contact) => {
                  const way = contact.push ? 'browsers' : contact.receiver;
                  return contact.after === '0s' ? way : `${way} after ${contact.after}`;
                })
                .join(', ');
              return (
                <li key={one.name}>
                  <b>{one.name}</b> <span class="quiet">{contacts}</span> <a href={address}>calendar</a>{' '}
                  <Copy text={address} what={`the address of the calendar of ${one.name}`} />
                </li>
              );
            })}
          </ul>
        );
      }}
    />
  );
}

/** One page: what it is about, who was called, and what people said. */
export function PageView(view: View & { id: string }) {
  const { page: shown, store, id } = view;
  const open = (shown.live.pages ?? []).find((one) => one.page === id);
  return (
    <div class="view">
      <Asked
        id={`${id} ${open?.state ?? ''} ${open?.notes.length ?? 0}`}
        every={10}
        ask={(signal: AbortSignal) => store.client.send(getApiV1OncallPagesPage, { page: id }, signal)}
        show={({ data, fault, ask }) => {
          if (fault && !data) return <Fault text={fault} retry={ask} />;
          if (!data) return <Loading lines={6} />;
          return <PageDetails view={view} page={data} />;
        }}
      />
    </div>
  );
}

function PageDetails({ view, page }: { view: View; page: Page }) {
  const { now } = view.page;
  return (
    <div>
      <header class="title-row">
        <h1 class="title">{page.title}</h1>
        <Badge tone={pageTone(page)} text={page.state} />
        <Answers view={view} page={page} />
      </header>
      <Card id="page" title="What it is about" wide>
        <p>{page.annotations['summary'] ?? page.annotations['description'] ?? ''}</p>
        <Labels labels={page.labels} />
        <dl class="facts">
          <dt>Opened</dt>
          <dd>
            <Time at={page.opened} now={now} /> by {page.source}
          </dd>
          <dt>Policy</dt>
          <dd>
            {page.policy}, step {page.step}
          </dd>
          <dt>Called</dt>
          <dd>{page.called.join(', ') || 'nobody yet'}</dd>
          {page.by ? [<dt key="answered">Answered by</dt>, <dd key="by">{page.by}</dd>] : null}
          {page.child_of
            ? [
                <dt key="parent">Held by</dt>,
                <dd key="held">
                  <a href={link(['oncall', page.child_of])}>page {page.child_of}</a>, of something that the service
                  needs
                </dd>,
              ]
            : null}
          {page.children.length > 0
            ? [
                <dt key="holds">Holds</dt>,
                <dd key="children">
                  {page.children.map((one) => (
                    <a key={one} href={link(['oncall', one])}>
                      {one}{' '}
                    </a>
                  ))}
                </dd>,
              ]
            : null}
          {page.next_call
            ? [
                <dt key="next">Next call</dt>,
                <dd key="call">
                  <Time at={page.next_call} now={now} />
                </dd>,
              ]
            : null}
        </dl>
        <p>
          <a href={link(['evidence'], { text: page.page })}>See the record</a>
        </p>
      </Card>
      <Card id="notes" title="Notes" wide>
        {page.notes.length === 0 ? (
          <Empty title="Nobody has written anything yet." />
        ) : (
          <ul class="lines">
            {page.notes.map((note) => (
              <li key={note.at + note.text}>
                {note.text}{' '}
                <span class="quiet" title={absolute(Date.parse(note.at))}>
                  {note.by}, <Time at={note.at} now={now} />
                </span>
              </li>
            ))}
          </ul>
        )}
      </Card>
    </div>
  );
}
