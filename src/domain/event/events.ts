import type { DomainCommand, DomainEvent } from '../metadata.ts';

export type PayloadContentType = 'text/plain' | 'application/json' | 'application/octet-stream+base64';

/** What a producer sent, without the payload's bytes: those lie beside the log, proved by their SHA-256. */
export type IngestedEvent = {
  readonly applicationId: string;
  readonly organizationId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly payloadContentType: PayloadContentType;
  /** SHA-256 of the exact bytes, hex. */
  readonly payloadSha256: string;
  readonly payloadBytes: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Null when the producer did not say: then the event happened when it was received. */
  readonly occurredAt: string | null;
  readonly receivedAt: string;
  readonly ip: string | null;
  /** Position, in the application's log partition, of the configuration that the event was routed with. */
  readonly configurationPosition: number;
  /** How many subscriptions matched. */
  readonly deliveries: number;
};

/** Stream `event:<application id>:<event id>`, in the log partition of the application id. */
export type EventEvent =
  | DomainEvent<'EventIngested', IngestedEvent>
  | DomainEvent<
      'EventReplayed',
      {
        applicationId: string;
        organizationId: string;
        eventId: string;
        configurationPosition: number;
        deliveries: number;
        replayedAt: string;
      }
    >
  /** The bytes are gone for good; what they were is still proved by their SHA-256. */
  | DomainEvent<
      'EventPayloadErased',
      { applicationId: string; organizationId: string; eventId: string; erasedAt: string }
    >;

export type EventCommand =
  /** A repeat with the same content stays quiet; other content under the same id is refused with EventAlreadyIngested. */
  | DomainCommand<'IngestEvent', Omit<IngestedEvent, 'receivedAt'>>
  | DomainCommand<
      'ReplayEvent',
      {
        applicationId: string;
        organizationId: string;
        eventId: string;
        configurationPosition: number;
        deliveries: number;
      }
    >
  | DomainCommand<'EraseEventPayload', { applicationId: string; organizationId: string; eventId: string }>;
