/** What a request came to nothing for, in words for people. */
export type Failure = {
  /** The problem's id, such as `NotFound`; `Network` when there was no answer. */
  readonly id: string;
  readonly title: string;
  readonly detail: string;
  readonly advice: string | null;
  readonly requestId: string | null;
};

/** RFC 9457, as far as it is shown. */
export type Problem = {
  readonly id?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly advice?: string;
  readonly instance?: string;
  readonly request_id?: string;
};

export const failureOfProblem = (problem: Problem, otherwise: string): Failure => ({
  id: problem.id ?? 'Unknown',
  title: problem.title ?? otherwise,
  detail: problem.detail ?? otherwise,
  advice: problem.advice ?? null,
  requestId: problem.request_id ?? problem.instance ?? null,
});

export const networkFailure = (detail: string): Failure => ({
  id: 'Network',
  title: 'The server did not answer',
  detail,
  advice: 'Look whether Posthorn is running and can be reached, then try again.',
  requestId: null,
});
