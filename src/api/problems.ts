import type { DomainError, DomainErrorId } from '../domain/errors.ts';

type Definition = { readonly status: number; readonly title: string };

/** Refusals of the domain and the status each is answered with; an id without one does not compile. */
const DOMAIN_PROBLEMS: Readonly<Record<DomainErrorId, Definition>> = {
  ApplicationNameMissing: { status: 400, title: 'The application has no name' },
  DeliveryIsOver: { status: 409, title: 'The delivery is over' },
  EventAlreadyIngested: { status: 409, title: 'An event with this id and other content was ingested before' },
  EventInvalidBase64Payload: { status: 400, title: 'The payload is not base64' },
  EventInvalidJsonPayload: { status: 400, title: 'The payload is not JSON' },
  EventInvalidPayloadContentType: { status: 400, title: 'The content type of the payload is not supported' },
  EventTypeAlreadyExist: { status: 409, title: 'The event type exists already' },
  EventTypeDoesNotExist: { status: 400, title: 'The event type does not exist' },
  LabelsAmbiguity: { status: 400, title: 'Labels are given in two ways, or in none' },
  NotFound: { status: 404, title: 'Not found' },
  OrganizationIsNotEmpty: { status: 409, title: 'The organization still has applications' },
  OrganizationNameMissing: { status: 400, title: 'The organization has no name' },
  UnauthorizedWorkers: { status: 400, title: 'The organization may not use these workers' },
};

/** What the edge itself refuses. Ids and statuses are Hook0's where it has them. */
const EDGE_PROBLEMS = {
  AuthNoAuthorizationHeader: { status: 401, title: 'No Authorization header' },
  AuthInvalidAuthorizationHeader: { status: 400, title: 'The Authorization header is not a bearer token' },
  AuthInvalidApplicationSecret: { status: 403, title: 'The token is not known' },
  Forbidden: { status: 403, title: 'Not allowed' },
  InternalServerError: { status: 500, title: 'Something went wrong on our side' },
  InvalidCursor: { status: 400, title: 'The pagination cursor is not one of ours' },
  InvalidDateRange: { status: 400, title: 'The date range is not valid' },
  JsonPayload: { status: 400, title: 'The request body cannot be read as JSON' },
  MethodNotAllowed: { status: 405, title: 'The method is not allowed here' },
  RouteNotFound: { status: 404, title: 'There is no such route' },
  ServiceUnavailable: { status: 503, title: 'Not available at the moment' },
  UnsupportedMediaType: { status: 415, title: 'The content type of the request is not supported' },
  Validation: { status: 422, title: 'The request is not valid' },
} as const satisfies Record<string, Definition>;

export const PROBLEMS = { ...DOMAIN_PROBLEMS, ...EDGE_PROBLEMS };
export type ProblemId = keyof typeof PROBLEMS;

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

  constructor(
    id: ProblemId,
    detail: string,
    { validation = null, cause }: { validation?: Validation | null; cause?: unknown } = {},
  ) {
    super(detail, { cause });
    this.name = 'Problem';
    this.id = id;
    this.status = PROBLEMS[id].status;
    this.validation = validation;
  }
}

export const problemDocument = (problem: Problem, requestId?: string): ProblemDocument => ({
  type: `/docs/errors#${problem.id.toLowerCase()}`,
  id: problem.id,
  title: PROBLEMS[problem.id].title,
  detail: problem.message,
  status: problem.status,
  validation: problem.validation,
  ...(requestId === undefined ? {} : { request_id: requestId }),
});

export const fromDomainError = (error: DomainError): Problem => new Problem(error.id, error.message, { cause: error });
