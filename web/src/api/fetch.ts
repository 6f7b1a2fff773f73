import { failureOfProblem, networkFailure, type Problem } from './failure.ts';

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
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      keepalive,
      credentials: 'same-origin',
      ...(timeoutMs === undefined ? {} : { signal: AbortSignal.timeout(timeoutMs) }),
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    throw networkFailure((error as Error).message);
  }
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  if (!response.ok)
    throw failureOfProblem(
      isJson ? ((await response.json()) as Problem) : {},
      `The server answered ${response.status}.`,
    );
  return (isJson ? await response.json() : undefined) as Answer;
};
