import { Component } from 'preact';
import { APIFailure } from '../api/client';
import type { Content } from './parts';

export interface Answered<T> {
  data?: T;
  fault?: string;
  isLoading: boolean;
  ask: () => void;
}

interface Props<T> {
  /** Asked anew when this changes. */
  id: string;
  /** Seconds between questions while it is shown; once where absent. */
  every?: number;
  ask: (signal: AbortSignal) => Promise<T>;
  show: (answer: Answered<T>) => Content;
}

/** Asks the server when it is shown or when its id changes, and shows the former answer until the new one is there. */
export class Asked<T> extends Component<Props<T>, { data?: T; fault?: string; isLoading: boolean }> {
  state: { data?: T; fault?: string; isLoading: boolean } = { isLoading: true };
  private abort?: AbortController;
  private timer = 0;

  componentDidMount() {
    this.ask();
  }

  componentDidUpdate(former: Props<T>) {
    if (former.id !== this.props.id) this.ask();
  }

  componentWillUnmount() {
    this.abort?.abort();
    window.clearTimeout(this.timer);
  }

  private readonly ask = () => {
    this.abort?.abort();
    window.clearTimeout(this.timer);
    const abort = new AbortController();
    this.abort = abort;
    this.setState({ isLoading: true });
    this.props
      .ask(abort.signal)
      .then(
        (data) => {
          if (!abort.signal.aborted) this.setState({ data, fault: undefined, isLoading: false });
        },
        (fault) => {
          if (abort.signal.aborted) return;
          const words = fault instanceof APIFailure || fault instanceof Error ? fault.message : String(fault);
          this.setState({ fault: words, isLoading: false });
        },
      )
      .then(() => {
        const { every } = this.props;
        if (every !== undefined && !abort.signal.aborted) this.timer = window.setTimeout(this.ask, every * 1000);
      });
  };

  render() {
    return this.props.show({ ...this.state, ask: this.ask });
  }
}
