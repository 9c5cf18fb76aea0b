import { h, render } from 'preact';
import { Store } from './state/store';
import { App } from './view/app';

const root = document.getElementById('root');
if (root) {
  root.replaceChildren();
  render(<App store={new Store(new URL('../api/', document.baseURI))} />, root);
}
