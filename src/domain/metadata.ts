import type { Command, Event } from '@event-driven-io/emmett';

/** Who did it, as `kind` or `kind:id`: `master`, `application_secret:<secret id>`, `system:worker`. */
export type Actor = string;

/** Recorded with every domain event: who, why and from where. */
export type DomainEventMetadata = {
  readonly actor: Actor;
  /** What led to this directly: a request id, or `<stream>@<version>` of a domain event. */
  readonly causationId: string;
  /** Equal over everything that follows from one beginning; for all that an ingested event causes, its event id. */
  readonly correlationId: string;
  /** Source address of the request, when there was one. */
  readonly ip?: string;
};

export type DomainEvent<Type extends string, Data extends Record<string, unknown>> = Event<Type, Data>;

/** Commands carry the instant they are decided at, so that deciders stay pure. */
export type DomainCommand<Type extends string, Data extends Record<string, unknown>> = Command<
  Type,
  Data,
  { readonly now: Date }
>;
