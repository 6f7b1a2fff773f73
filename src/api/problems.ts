import { DomainError, type DomainErrorId } from '../domain/errors.ts';

type Definition = {
  readonly status: number;
  readonly title: string;
  /** What a client can do about it. */
  readonly advice: string;
};

/** Refusals of the domain and the status each is answered with; an id without one does not compile. */
const DOMAIN_PROBLEMS: Readonly<Record<DomainErrorId, Definition>> = {
  ApplicationNameMissing: {
    status: 400,
    title: 'The application has no name',
    advice: 'Send a name that is more than spaces.',
  },
  AuthEmailExpired: {
    status: 401,
    title: 'The link of the mail is not good any more',
    advice: 'Ask for a new mail: a link works once, for a time, and only until the next one is asked for.',
  },
  AuthFailedLogin: {
    status: 401,
    title: 'The mail address or the password is wrong',
    advice: 'Check both, or ask for a new password.',
  },
  DeliveryIsOver: {
    status: 409,
    title: 'The delivery is over',
    advice: 'A delivery that succeeded, was cancelled or became a dead letter can only be replayed.',
  },
  EventAlreadyIngested: {
    status: 409,
    title: 'An event with this id and other content was ingested before',
    advice: 'Send the event under an id of its own. The same event again, with equal content, is no error.',
  },
  EventInvalidBase64Payload: {
    status: 400,
    title: 'The payload is not base64',
    advice: 'Use the standard alphabet with padding, without line breaks.',
  },
  EventInvalidJsonPayload: {
    status: 400,
    title: 'The payload is not JSON',
    advice: 'Send JSON text, at most 64 levels deep, or name another payload_content_type.',
  },
  EventInvalidPayloadContentType: {
    status: 400,
    title: 'The content type of the payload is not supported',
    advice: 'GET /api/v1/payload_content_types lists those that are.',
  },
  EventTypeAlreadyExist: {
    status: 409,
    title: 'The event type exists already',
    advice: 'Use it, or choose another name.',
  },
  EventTypeDoesNotExist: {
    status: 400,
    title: 'The event type does not exist',
    advice: 'Create it with POST /api/v1/event_types first; one that was deactivated is brought back the same way.',
  },
  Forbidden: { status: 403, title: 'Not allowed', advice: 'Use a token that may do this.' },
  InvitedUserAlreadyInOrganization: {
    status: 409,
    title: 'The person is a member of the organization already',
    advice: 'Change the role of the member instead.',
  },
  LabelsAmbiguity: {
    status: 400,
    title: 'Labels are given in two ways, or in none',
    advice: 'Send `labels`; `{}` selects every event. `label_key` with `label_value` is the older form.',
  },
  NotFound: {
    status: 404,
    title: 'Not found',
    advice: 'Check the id and the token: what belongs to somebody else is answered like what does not exist.',
  },
  OrganizationIsNotEmpty: {
    status: 409,
    title: 'The organization still has applications',
    advice: 'Delete its applications first.',
  },
  OrganizationNameMissing: {
    status: 400,
    title: 'The organization has no name',
    advice: 'Send a name that is more than spaces.',
  },
  PasswordNotDiverseEnough: {
    status: 400,
    title: 'The password has too few different characters',
    advice: 'Use at least four different characters, and more than one short text repeated.',
  },
  PasswordSimilarToEmail: {
    status: 400,
    title: 'The password is too much like the mail address',
    advice: 'Choose one that has at least eight characters besides parts of the address.',
  },
  PasswordSimilarToName: {
    status: 400,
    title: 'The password is too much like the name',
    advice: 'Choose one that has at least eight characters besides parts of the name.',
  },
  PasswordTooCommon: {
    status: 400,
    title: 'The password is one that many people choose',
    advice: 'Choose several words that do not belong together, or let a password manager make one.',
  },
  PasswordTooLong: {
    status: 400,
    title: 'The password is too long',
    advice: 'Send at most 100 characters, and at most 256 bytes of UTF-8.',
  },
  PasswordTooShort: {
    status: 400,
    title: 'The password is too short',
    advice: 'Send at least 12 characters.',
  },
  OrganizationNeedsAnOwner: {
    status: 409,
    title: 'The organization would have no owner left',
    advice: 'Make somebody else an owner first, or delete the organization.',
  },
  TooManyApplicationsPerOrganization: {
    status: 429,
    title: 'The organization has as many applications as its quota allows',
    advice: 'Nothing passes by waiting alone: remove something, or ask for a larger plan.',
  },
  TooManyEventTypesPerApplication: {
    status: 429,
    title: 'The application has as many event types as its quota allows',
    advice: 'Nothing passes by waiting alone: remove something, or ask for a larger plan.',
  },
  TooManyEventsToday: {
    status: 429,
    title: 'The quota of events for today is used up',
    advice: 'It is full again at midnight, UTC; or ask for a larger plan.',
  },
  TooManyMembersPerOrganization: {
    status: 429,
    title: 'The organization has as many members as its quota allows',
    advice: 'Nothing passes by waiting alone: remove something, or ask for a larger plan.',
  },
  TooManySubscriptionsPerApplication: {
    status: 429,
    title: 'The application has as many subscriptions as its quota allows',
    advice: 'Nothing passes by waiting alone: remove something, or ask for a larger plan.',
  },
  TooManyEventTypeSchemas: {
    status: 409,
    title: 'The event type has as many schemas as it may',
    advice: 'Activate one of its versions, or create another event type.',
  },
  UnauthorizedWorkers: {
    status: 400,
    title: 'The organization may not use these workers',
    advice: 'Leave `dedicated_workers` out.',
  },
  UserAlreadyExist: {
    status: 409,
    title: 'There is an account with this mail address already',
    advice: 'Sign in, or ask for a new password.',
  },
};

/** What the edge itself refuses. Ids and statuses are Hook0's where it has them. */
const EDGE_PROBLEMS = {
  AuthNoAuthorizationHeader: {
    status: 401,
    title: 'No Authorization header',
    advice: 'Send `Authorization: Bearer <token>`.',
  },
  AuthInvalidAuthorizationHeader: {
    status: 400,
    title: 'The Authorization header is not a bearer token',
    advice: 'Send `Authorization: Bearer <token>`.',
  },
  AuthInvalidApplicationSecret: {
    status: 403,
    title: 'The token is not known',
    advice: 'Check the token. An application secret that was deleted opens nothing any more.',
  },
  AuthEmailAlreadyVerified: {
    status: 409,
    title: 'The mail address is verified already',
    advice: 'Sign in.',
  },
  AuthEmailNotVerified: {
    status: 401,
    title: 'The mail address is not verified',
    advice: 'Follow the link in the mail, or ask for another with POST /api/v1/auth/resend-verification-email.',
  },
  AuthFailedRefresh: {
    status: 401,
    title: 'The refresh token is not good any more',
    advice:
      'Sign in again. A refresh token works once; used a second time it ends the session, since it may be stolen.',
  },
  AuthInvalidBiscuit: {
    status: 403,
    title: 'The token is not good, or not for this',
    advice: 'Check whether it expired, was revoked, or was restricted: `posthorn token inspect` shows what it holds.',
  },
  EventInvalidAgainstSchema: {
    status: 422,
    title: 'The payload does not match the schema of its event type',
    advice: '`validation` names what fails, `params.path` being the JSON Pointer into the payload.',
  },
  GraphqlLimit: {
    status: 400,
    title: 'The GraphQL query goes beyond a limit',
    advice: 'Ask for less at once; docs/graphql.md lists the limits.',
  },
  GraphqlValidation: {
    status: 400,
    title: 'The GraphQL request is not valid',
    advice: 'Check the query against the schema, and its variables against their types.',
  },
  InvalidRole: { status: 400, title: 'There is no such role', advice: 'Use owner, editor or viewer.' },
  InternalServerError: {
    status: 500,
    title: 'Something went wrong on our side',
    advice: 'Try again later, and quote the request id when you report it.',
  },
  InvalidAsOf: {
    status: 400,
    title: 'The past that is asked for cannot be',
    advice: 'Send `as_of` to a read that takes it: an RFC 3339 instant that is over, or a position such as `3:1207`.',
  },
  InvalidCursor: {
    status: 400,
    title: 'The pagination cursor is not one of ours',
    advice: 'Follow the `Link` header of the page before, as it is.',
  },
  InvalidDateRange: {
    status: 400,
    title: 'The date range is not valid',
    advice: 'Let the range begin before it ends.',
  },
  JsonPayload: {
    status: 400,
    title: 'The request body cannot be read as JSON',
    advice: 'Send one JSON value in UTF-8, at most 2 MiB large and 64 levels deep.',
  },
  MalformedRequest: {
    status: 400,
    title: 'The request is not well-formed HTTP',
    advice: 'Check the request line, the path and the headers.',
  },
  MethodNotAllowed: {
    status: 405,
    title: 'The method is not allowed here',
    advice: 'The `Allow` header names those that are.',
  },
  PayloadGone: {
    status: 410,
    title: 'The payload of the event is no longer kept',
    advice: 'Payloads are kept for a time only; ingest the event anew to send it again.',
  },
  RateLimited: {
    status: 429,
    title: 'Too many requests',
    advice: 'Wait as many seconds as `Retry-After` says; `RateLimit-Policy` names the limit.',
  },
  ReadModelBehind: {
    status: 503,
    title: 'The read model has not come that far yet',
    advice: 'Try again after `Retry-After` seconds; lists follow the log within a second.',
  },
  ReauthenticationNeeded: {
    status: 403,
    title: 'The password has to be given again',
    advice: 'Send it to POST /api/v1/auth/confirm, then repeat the request with the new access token.',
  },
  RegistrationDisabled: {
    status: 410,
    title: 'Registration is closed on this instance',
    advice: 'Ask a member to invite you.',
  },
  ReplayCountDiffers: {
    status: 409,
    title: 'Other events match by now than were expected',
    advice: 'Look at the preview again, then replay as many as it says.',
  },
  RouteNotFound: { status: 404, title: 'There is no such route', advice: '/docs lists the routes.' },
  SchemaWouldRefuse: {
    status: 409,
    title: 'The schema would refuse events that came within the last week',
    advice: 'Look at the check of this version; activate with `force`, or with `expected_refusals` as many as it says.',
  },
  ServiceUnavailable: {
    status: 503,
    title: 'Not available at the moment',
    advice: 'Try again after `Retry-After` seconds, with the same event_id where there is one.',
  },
  StoredBodyChanged: {
    status: 500,
    title: 'What was stored has been changed',
    advice: 'Look for who else writes to the database; a backup may still have it as it was.',
  },
  SubscriptionInactive: {
    status: 409,
    title: 'The subscription is disabled or deleted',
    advice: 'Enable the subscription, then replay.',
  },
  UnsupportedMediaType: {
    status: 415,
    title: 'The content type of the request is not supported',
    advice: 'Send the body with `Content-Type: application/json`.',
  },
  Validation: {
    status: 422,
    title: 'The request is not valid',
    advice: '`validation` says for each field what is wrong with it.',
  },
} as const satisfies Record<string, Definition>;

export const PROBLEMS = { ...DOMAIN_PROBLEMS, ...EDGE_PROBLEMS };
export type ProblemId = keyof typeof PROBLEMS;
export const PROBLEM_IDS = Object.keys(PROBLEMS).sort() as ProblemId[];

/** One finding about one field; nested fields are joined by dots. */
export type Validation = Readonly<
  Record<string, readonly { code: string; message?: string; params: Readonly<Record<string, unknown>> }[]>
>;

/** RFC 9457, with Hook0's members: `id` is the stable name to match on. */
export type ProblemDocument = {
  readonly type: string;
  readonly id: ProblemId;
  readonly title: string;
  readonly detail: string;
  readonly status: number;
  readonly validation: Validation | null;
  /** Names the request in our log. */
  readonly request_id?: string;
};

/** Seconds after which a client may try again when something of ours is away. */
export const RETRY_AFTER_SECONDS = 5;

/** A refusal at the edge: becomes the answer as it is. */
export class Problem extends Error {
  readonly id: ProblemId;
  readonly status: number;
  readonly validation: Validation | null;
  /** Sent with the answer; lower case. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    id: ProblemId,
    detail: string,
    {
      validation = null,
      headers = {},
      cause,
    }: { validation?: Validation | null; headers?: Readonly<Record<string, string>>; cause?: unknown } = {},
  ) {
    super(detail, { cause });
    this.name = 'Problem';
    this.id = id;
    this.status = PROBLEMS[id].status;
    this.validation = validation;
    this.headers = headers;
  }
}

/** Whether somebody was told no, and not that something broke: that is for nobody to read, and no answer to what was asked. */
export const isRefusal = (error: unknown): error is Problem | DomainError =>
  (error instanceof Problem || error instanceof DomainError) && PROBLEMS[error.id].status < 500;

/** A `Validation` problem about one field. */
export const invalidField = (
  field: string,
  code: string,
  message: string,
  params: Readonly<Record<string, unknown>> = {},
): Problem =>
  new Problem('Validation', `${field}: ${message}`, { validation: { [field]: [{ code, message, params }] } });

/** Where people read about a problem. */
export const problemAnchor = (id: ProblemId): string => `/docs/errors#${id.toLowerCase()}`;

export const problemDocument = (problem: Problem, requestId?: string): ProblemDocument => ({
  type: problemAnchor(problem.id),
  id: problem.id,
  title: PROBLEMS[problem.id].title,
  detail: problem.message,
  status: problem.status,
  validation: problem.validation,
  ...(requestId === undefined ? {} : { request_id: requestId }),
});

export const fromDomainError = (error: DomainError): Problem => new Problem(error.id, error.message, { cause: error });
