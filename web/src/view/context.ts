import type { Page, Store } from '../state/store';

/** What every view gets. */
export interface View {
  readonly store: Store;
  readonly page: Page;
}
