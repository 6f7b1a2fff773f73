/**
 * The closed list of refusals the domain can give; ids are public and stable, Hook0's where it has one. The status of
 * each is the API's business (`src/api/problems.ts`), so that the domain knows no HTTP.
 */
export type DomainErrorId =
  | 'ApplicationNameMissing'
  | 'AuthEmailExpired'
  | 'AuthFailedLogin'
  | 'EventAlreadyIngested'
  | 'EventInvalidBase64Payload'
  | 'EventInvalidJsonPayload'
  | 'EventInvalidPayloadContentType'
  | 'EventTypeAlreadyExist'
  | 'EventTypeDoesNotExist'
  | 'Forbidden'
  | 'InvitedUserAlreadyInOrganization'
  | 'LabelsAmbiguity'
  | 'NotFound'
  | 'OrganizationIsNotEmpty'
  | 'OrganizationNameMissing'
  | 'OrganizationNeedsAnOwner'
  | 'TooManyApplicationsPerOrganization'
  | 'TooManyEventTypesPerApplication'
  | 'TooManyEventsToday'
  | 'TooManyMembersPerOrganization'
  | 'TooManySubscriptionsPerApplication'
  | 'DeliveryIsOver'
  | 'PasswordNotDiverseEnough'
  | 'PasswordSimilarToEmail'
  | 'PasswordSimilarToName'
  | 'PasswordTooCommon'
  | 'PasswordTooLong'
  | 'PasswordTooShort'
  | 'UnauthorizedWorkers'
  | 'UserAlreadyExist'
  | 'TooManyEventTypeSchemas';

/** An expected refusal: what happened, to which id, and what to do next. Bugs are never a DomainError. */
export class DomainError extends Error {
  readonly id: DomainErrorId;
  /** The id once more, under the name that specs match on. */
  readonly code: DomainErrorId;

  constructor(id: DomainErrorId, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DomainError';
    this.id = id;
    this.code = id;
  }
}
