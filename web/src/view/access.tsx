import { h } from 'preact';

import { getApiV1AccessIdentities } from '../api/operations';
import { absolute } from '../model/time';
import { may } from '../state/live';
import { Asked } from './asked';
import type { View } from './context';
import { Card, Empty, Fault, Labels, Loading } from './parts';

/** Who the server takes one for, and how to be somebody else. */
export function Access({ view }: { view: View }) {
  const { store, page } = view;
  const me = page.live.identity;
  const isLoggedIn = me !== undefined && me.name !== null;
  return (
    <div>
      <div class="columns">
        <Card id="me" title="You">
          {me === undefined ? (
            <Loading />
          ) : (
            <dl class="facts">
              <dt>Name</dt>
              <dd>{me.name ?? 'nobody in particular'}</dd>
              <dt>Known by</dt>
              <dd>{me.method === 'none' ? 'no credentials' : me.method}</dd>
              <dt>Address</dt>
              <dd>{me.address}</dd>
              <dt>Roles</dt>
              <dd>{me.roles.join(', ') || 'none'}</dd>
              <dt>You may</dt>
              <dd>{me.permissions.join(', ')}</dd>
            </dl>
          )}
          {isLoggedIn && !store.hasToken() ? (
            <form method="post" action="../logout">
              <button type="submit">Log out</button>
            </form>
          ) : null}
          {store.hasToken() ? (
            <button type="button" onClick={() => store.useToken(null)}>
              Forget the token
            </button>
          ) : null}
        </Card>
        <Card id="login" title="Log in">
          <Asked
            id="issuer"
            ask={() =>
              fetch(new URL('../login', document.baseURI).href, { redirect: 'manual', method: 'HEAD' }).then(
                (answer) => answer.type === 'opaqueredirect',
              )
            }
            show={({ data }) =>
              data ? (
                <p>
                  <a class="button main" href="../login">
                    Log in with your organisation
                  </a>
                </p>
              ) : (
                <p class="quiet">This server has no login page. Use a token.</p>
              )
            }
          />
          <form
            onSubmit={(event: Event) => {
              event.preventDefault();
              const field = (event.target as HTMLFormElement).elements.namedItem('token') as HTMLInputElement;
              if (field.value.trim() !== '') store.useToken(field.value.trim());
              field.value = '';
            }}
          >
            <label>
              Token <input name="token" type="password" autocomplete="off" />
            </label>
            <div class="controls">
              <button type="submit" class="main">
                Use this token
              </button>
            </div>
          </form>
          <p class="quiet">
            It is kept until this tab is closed. The service's own user finds one beside the socket, in the file{' '}
            <code>PORT.token</code>.
          </p>
        </Card>
      </div>
      {may(page.live, 'audit') ? (
        <Card id="identities" title="Identities with access" wide>
          <Asked
            id="identities"
            ask={(signal: AbortSignal) => store.client.send(getApiV1AccessIdentities, {}, signal)}
            show={({ data, fault, ask }) =>
              fault ? (
                <Fault text={fault} retry={ask} />
              ) : !data ? (
                <Loading />
              ) : data.identities.length === 0 ? (
                <Empty title="No identity is configured." />
              ) : (
                <div class="scroll">
                  <table class="stacked">
                    <caption>Identities</caption>
                    <thead>
                      <tr>
                        <th>Name</th>
                        <th>By</th>
                        <th>Roles</th>
                        <th>Limited to</th>
                        <th>Expires</th>
                        <th>Last used</th>
                      </tr>
                    </thead>
                    <tbody>
                      {data.identities.map((one) => (
                        <tr key={`${one.name} ${one.method}`}>
                          <th scope="row">{one.name}</th>
                          <td>{one.method}</td>
                          <td>{one.roles.join(', ')}</td>
                          <td>
                            <Labels
                              labels={{
                                ...(one.plans.length ? { plans: one.plans.join(' ') } : {}),
                                ...(one.services.length ? { services: one.services.join(' ') } : {}),
                              }}
                            />
                          </td>
                          <td>{one.expires ? absolute(Date.parse(one.expires)) : 'never'}</td>
                          <td>{one.last_used ? absolute(Date.parse(one.last_used)) : 'never'}</td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
              )
            }
          />
        </Card>
      ) : null}
    </div>
  );
}
