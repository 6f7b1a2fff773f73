/** Classes of failure and reasons, as people say them. */
const WORDS: Readonly<Record<string, string>> = {
  status: 'the answer was not 2xx',
  redirect: 'the answer was a redirect',
  gone: 'the receiver is gone (410)',
  timeout: 'no answer in time',
  dns: 'the name could not be resolved',
  connect: 'no connection',
  tls: 'no agreement on TLS',
  connection_reset: 'the connection was reset',
  invalid_response: 'the answer was not HTTP',
  blocked_target: 'the target is not allowed',
  invalid_target: 'the target is not a valid URL',
  payload_missing: 'the payload is no longer kept',
  retries_exhausted: 'no retries left',
  subscription_disabled: 'the subscription was disabled',
  subscription_deleted: 'the subscription was deleted',
  request: 'on request',
};

export const reasonWords = (reason: string | null | undefined): string =>
  reason ? (WORDS[reason] ?? reason.replaceAll('_', ' ')) : 'for no recorded reason';

/** The code when there was one, else the class of failure in words. */
export const failureWords = ({
  httpStatus,
  reason,
}: {
  readonly httpStatus: number | null;
  readonly reason: string | null;
}): string => (httpStatus === null ? reasonWords(reason) : String(httpStatus));

/** The classes by which dead letters can be filtered. */
export const FAILURES = [
  'status',
  'redirect',
  'gone',
  'timeout',
  'dns',
  'connect',
  'tls',
  'connection_reset',
  'invalid_response',
  'blocked_target',
  'invalid_target',
  'payload_missing',
] as const;
