// Server-sent events, read with fetch: EventSource cannot send a token and does not say that a connection is silent.

export interface StreamEvent {
  event: string;
  data: string;
}

/** Splits the text of an event stream into events, however it is cut into pieces. A value with one method per piece. */
export class EventParser {
  private rest = '';

  /** The events that `piece` completes. Comments (heartbeats) are no events. */
  push(piece: string): StreamEvent[] {
    this.rest += piece;
    const blocks = this.rest.split(/\r?\n\r?\n/);
    this.rest = blocks.pop() ?? '';
    const events: StreamEvent[] = [];
    for (const block of blocks) {
      const event: StreamEvent = { event: 'message', data: '' };
      const data: string[] = [];
      for (const line of block.split(/\r?\n/)) {
        const colon = line.indexOf(':');
        if (colon <= 0) continue;
        const value = line.slice(colon + 1).replace(/^ /, '');
        if (line.slice(0, colon) === 'event') event.event = value;
        if (line.slice(0, colon) === 'data') data.push(value);
      }
      if (data.length > 0) events.push({ ...event, data: data.join('\n') });
    }
    return events;
  }
}

/** How long to wait before the next attempt, in milliseconds: longer each time, at most 15 s. */
export function pauseBefore(attempt: number): number {
  return Math.min(15_000, 500 * 2 ** Math.min(attempt, 10));
}

/** The server sends a heartbeat every 15 s; a connection without one for this long is taken for broken. */
export const silenceLimit = 40_000;

export interface FeedHandlers {
  connected(): void;
  event(event: StreamEvent): void;
  /** Called at every attempt that fails, with the number of failures in a row. */
  lost(failures: number, reason: string): void;
}

/** Keeps one event stream open, and opens it again when it ends. */
export class Feed {
  private failures = 0;
  private abort?: AbortController;
  private timer = 0;
  private silence = 0;
  private isStopped = false;

  constructor(
    private readonly url: string,
    private readonly headers: () => { [name: string]: string },
    private readonly handlers: FeedHandlers,
  ) {}

  start(): void {
    void this.run();
  }

  /** Opens the stream anew, at once: after a login, or when the browser is online again. */
  restart(): void {
    this.failures = 0;
    window.clearTimeout(this.timer);
    this.abort?.abort();
    void this.run();
  }

  stop(): void {
    this.isStopped = true;
    window.clearTimeout(this.timer);
    window.clearTimeout(this.silence);
    this.abort?.abort();
  }

  private async run(): Promise<void> {
    const abort = new AbortController();
    this.abort = abort;
    const heard = () => {
      window.clearTimeout(this.silence);
      this.silence = window.setTimeout(() => abort.abort(), silenceLimit);
    };
    let reason = 'the stream ended';
    try {
      heard();
      const response = await fetch(this.url, {
        headers: this.headers(),
        signal: abort.signal,
        credentials: 'same-origin',
      });
      if (!response.ok || !response.body)
        throw new Error((await response.text()).trim() || `status ${response.status}`);
      this.failures = 0;
      this.handlers.connected();
      const parser = new EventParser();
      const decoder = new TextDecoder();
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        heard();
        for (const event of parser.push(decoder.decode(value, { stream: true }))) this.handlers.event(event);
      }
    } catch (fault) {
      reason = fault instanceof Error ? fault.message : String(fault);
    }
    window.clearTimeout(this.silence);
    // A newer attempt has taken over.
    if (this.isStopped || this.abort !== abort) return;
    this.failures += 1;
    this.handlers.lost(this.failures, reason);
    this.timer = window.setTimeout(() => void this.run(), pauseBefore(this.failures));
  }
}
