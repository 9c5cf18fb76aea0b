import { Component, h } from 'preact';
import { getApiV1HistoryPack } from '../api/operations';
import { packScope, type Search } from '../model/evidence';
import { may } from '../state/live';
import type { View } from './context';
import { saveBlob } from './evidence';
import { Fault } from './parts';

/** Downloads the evidence of the searched period and service, as one archive that verifies without Tribune. */
export class EvidencePack extends Component<
  { view: View; search: Search },
  { isBusy: boolean; fault: string; saved: string }
> {
  state = { isBusy: false, fault: '', saved: '' };

  private async download() {
    const { view, search } = this.props;
    this.setState({ isBusy: true, fault: '', saved: '' });
    try {
      const scope = packScope(search, view.page.now);
      const file = await view.store.client.file(getApiV1HistoryPack, scope.input);
      saveBlob(file.name, file.content);
      this.setState({ isBusy: false, saved: file.name });
    } catch (fault) {
      this.setState({ isBusy: false, fault: (fault as Error).message });
    }
  }

  render() {
    const { view, search } = this.props;
    const { isBusy, fault, saved } = this.state;
    const scope = packScope(search, view.page.now);
    return (
      <div>
        <p>
          One archive: a report that prints, the entries with their proofs and the signed checkpoint, measurements, the
          configuration that was in force, and a program that checks all of it without Tribune.
        </p>
        {may(view.page.live, 'audit') ? (
          <p class="row">
            <button type="button" disabled={isBusy} onClick={() => void this.download()}>
              {isBusy ? 'The record is verified and packed …' : 'Download the evidence pack'}
            </button>
            <span class="quiet">{scope.words}. The search above chooses period and service.</span>
          </p>
        ) : (
          <p class="quiet">
            You may not make evidence packs here: this needs the permission <code>audit</code>, which the roles auditor
            and admin have.
          </p>
        )}
        {fault ? <Fault text={fault} /> : null}
        {saved ? <p role="status">Saved as {saved}.</p> : null}
      </div>
    );
  }
}
