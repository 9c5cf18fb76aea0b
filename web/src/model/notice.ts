/** What the server says to a browser about a page. */
export interface Notice {
  page: string;
  state: 'firing' | 'acknowledged' | 'resolved';
  title: string;
  severity: string;
  at: number;
  text?: string;
  by?: string;
  /** The path of a signed link that acknowledges the page. */
  acknowledge?: string;
}

/** A notification as the browser shows it. */
export interface Shown {
  title: string;
  options: {
    body: string;
    tag: string;
    renotify: boolean;
    silent: boolean;
    requireInteraction: boolean;
    timestamp?: number;
    actions: { action: string; title: string }[];
    data: { page: string; acknowledge?: string };
  };
}

/** What is shown for a message. A browser insists on a notification for every message, so there is one for any text. */
export function shown(text: string): Shown {
  const notice = parsed(text);
  if (!notice) {
    return one('Tribune', 'A message that this version of the page cannot read.', { page: '' }, false);
  }
  const { state, title, by } = notice;
  const isCall = state === 'firing';
  const details = [notice.severity, notice.text].filter((part) => part).join(': ');
  const words: Record<Notice['state'], [string, string]> = {
    firing: [title, details],
    acknowledged: [`Acknowledged: ${title}`, by ? `by ${by}` : ''],
    resolved: [`Resolved: ${title}`, by ? `by ${by}` : ''],
  };
  const [head, body] = words[state];
  const result = one(head, body, { page: notice.page, acknowledge: isCall ? notice.acknowledge : undefined }, isCall);
  if (notice.at > 0) result.options.timestamp = notice.at;
  return result;
}

/** What is shown after somebody pressed the button of a notification. */
export function answered(page: string, title: string, isDone: boolean): Shown {
  return isDone
    ? one(`Acknowledged: ${title}`, '', { page }, false)
    : one(`Not acknowledged: ${title}`, 'Open the page to see why.', { page }, true);
}

/** All notifications of a page have one tag, so that the last one takes the place of those before. */
function one(title: string, body: string, data: { page: string; acknowledge?: string }, isCall: boolean): Shown {
  return {
    title,
    options: {
      body,
      tag: `page-${data.page}`,
      renotify: isCall,
      silent: !isCall,
      requireInteraction: isCall,
      actions: data.acknowledge ? [{ action: 'acknowledge', title: 'Acknowledge' }] : [],
      data,
    },
  };
}

function parsed(text: string): Notice | undefined {
  try {
    const notice = JSON.parse(text);
    const isState = ['firing', 'acknowledged', 'resolved'].includes(notice.state);
    return isState && typeof notice.page === 'string' && typeof notice.title === 'string' ? notice : undefined;
  } catch {
    return undefined;
  }
}

/** The address of a page in the application at `scope`. */
export function place(scope: string, page: string): string {
  return `${scope}#/oncall${page ? `/${encodeURIComponent(page)}` : ''}`;
}

/** The address of a path of the server whose application is at `scope`; undefined for one that leads elsewhere. */
export function address(scope: string, path: string): string | undefined {
  return /^\/oncall\/links\/[\w.-]+$/.test(path) ? new URL(`..${path}`, scope).href : undefined;
}
