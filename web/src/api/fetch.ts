import { type Failure, failureOfProblem, networkFailure, type Problem } from './failure.ts';

export type Sent = {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Lets the request come to its end although the page is left. */
  readonly keepalive?: boolean;
  readonly timeoutMs?: number;
};

/** One request to the REST API, as it is; throws a `Failure`. Answers undefined to what has no body. */
export const fetchJson = async <Answer>(
  method: string,
  path: string,
  { body, headers = {}, keepalive = false, timeoutMs }: Sent = {},
): Promise<Answer> => {
  let problem: Failure;
  try {
    const response = await fetch(`/api/v1${path}`, {
      method,
      keepalive,
      credentials: 'same-origin',
      ...(timeoutMs === undefined ? {} : { signal: AbortSignal.timeout(timeoutMs) }),
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const isJson = response.headers.get('content-type')?.includes('json') ?? false;
    const answer: unknown = isJson ? await response.json() : undefined;
    if (response.ok) return answer as Answer;
    problem = failureOfProblem((answer ?? {}) as Problem, `The server answered ${response.status}.`);
  } catch (error) {
    throw networkFailure((error as Error).message); // Also of an answer that broke off.
  }
  throw problem;
};
