import type { Answers } from './types';

/** An operation of the API: its answer is found by its name, and `Input` has its parameters. */
export interface Operation<Name extends string, Input> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  /** What one must be allowed to do. */
  readonly permission: string;
  readonly kind: 'data' | 'json' | 'text';
  /** Never set; they bind the two types to the value. */
  readonly name?: Name;
  readonly input?: Input;
}

export type Answer<Name extends string> = Name extends keyof Answers ? Answers[Name] : unknown;

/** Why a request failed, in the server's words. `status` is 0 where no answer came. */
export class APIFailure extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** An answer with what the server adds to it. */
export interface Noted<T> {
  data: T;
  notes: string[];
}

type Values = { [name: string]: unknown };

function append(to: URLSearchParams, name: string, value: unknown): void {
  if (value === undefined || value === null || value === '') return;
  if (Array.isArray(value)) for (const one of value) to.append(name, String(one));
  else to.append(name, String(value));
}

/** The request of an operation, relative to `/api/`. Pure. */
export function request(operation: Operation<string, unknown>, input: Values): { path: string; init: RequestInit } {
  const rest = { ...input };
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = String(rest[name]);
    delete rest[name];
    return encodeURIComponent(value);
  });
  const headers: { [name: string]: string } = {};
  if ('body' in rest) {
    headers['Content-Type'] = 'application/json';
    return { path, init: { method: operation.method, headers, body: JSON.stringify(rest['body']) } };
  }
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(rest)) append(parameters, name, value);
  const text = parameters.toString();
  if (operation.method === 'POST') return { path, init: { method: 'POST', headers, body: parameters } };
  return { path: text ? `${path}?${text}` : path, init: { method: operation.method, headers } };
}

/** Sends requests to the server that the page came from. */
export class Client {
  constructor(
    private readonly base: URL,
    private readonly token: () => string | null,
  ) {}

  /** The address of `path` below `/api/`, for links. */
  address(path: string): string {
    return new URL(path, this.base).href;
  }

  headers(): { [name: string]: string } {
    const token = this.token();
    return token ? { Authorization: `Bearer ${token}` } : {};
  }

  async send<Name extends string, Input extends object>(
    operation: Operation<Name, Input>,
    input: Input,
    signal?: AbortSignal,
  ): Promise<Answer<Name>> {
    return (await this.sendNoted(operation, input, signal)).data;
  }

  /** The file that an operation answers with, and the name that the server gives it. */
  async file<Name extends string, Input extends object>(
    operation: Operation<Name, Input>,
    input: Input,
  ): Promise<{ name: string; content: Blob }> {
    const { path, init } = request(operation, input as Values);
    let response: Response;
    try {
      response = await fetch(this.address(path), { ...init, headers: this.headers(), credentials: 'same-origin' });
    } catch {
      throw new APIFailure(0, 'The server does not answer.');
    }
    if (!response.ok) throw new APIFailure(response.status, (await response.text()).trim().slice(0, 300));
    const name = /filename="([^"]+)"/.exec(response.headers.get('Content-Disposition') ?? '');
    return { name: name?.[1] ?? 'tribune', content: await response.blob() };
  }

  async sendNoted<Name extends string, Input extends object>(
    operation: Operation<Name, Input>,
    input: Input,
    signal?: AbortSignal,
  ): Promise<Noted<Answer<Name>>> {
    const { path, init } = request(operation, input as Values);
    let response: Response;
    try {
      response = await fetch(this.address(path), {
        ...init,
        headers: { ...this.headers(), ...(init.headers as { [name: string]: string }) },
        signal,
        credentials: 'same-origin',
      });
    } catch (fault) {
      if (signal?.aborted) throw fault;
      throw new APIFailure(0, 'The server does not answer.');
    }
    const text = await response.text();
    if (operation.kind === 'text' && response.ok) return { data: text as Answer<Name>, notes: [] };
    let body: any;
    try {
      body = text === '' ? null : JSON.parse(text);
    } catch {
      throw new APIFailure(response.status, text.trim().slice(0, 300) || `status ${response.status}`);
    }
    if (!response.ok || body?.status === 'error') {
      throw new APIFailure(
        response.status,
        String(body?.error ?? body?.message ?? body ?? `status ${response.status}`),
      );
    }
    if (operation.kind === 'json') return { data: body, notes: [] };
    return { data: body.data, notes: [...(body.warnings ?? []), ...(body.infos ?? [])] };
  }
}
