import type { DomainEventMetadata } from '../domain/metadata.ts';

/** A domain event about to be appended. */
export type NewDomainEvent = {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Version of the meaning of `data`; 1 unless the type was upcast since. */
  readonly schemaVersion?: number;
  /** Not stored: handed to the listeners of this process together with the committed domain event. */
  readonly attachment?: unknown;
};

/** A domain event as the log holds it. */
export type RecordedEvent<Data = Readonly<Record<string, unknown>>> = {
  readonly partition: number;
  /** Dense place in its log partition: 1, 2, 3, ... in commit order. */
  readonly position: number;
  readonly streamId: string;
  /** Dense place in its stream, from 1. */
  readonly streamVersion: number;
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: Data;
  readonly metadata: DomainEventMetadata;
  /** The database's clock at the append, in milliseconds; never falls within a log partition. */
  readonly recordedAtMs: number;
  readonly attachment?: unknown;
};

/**
 * What an append believes of a stream:
 * - a number: its version (0 means that it does not exist), checked under the lock of the partition's head;
 * - `new`: its id was made for this append, so that it cannot exist and is not looked up;
 * - `guarded`: the append's guard finds the version, see {@link Guard}.
 */
export type ExpectedVersion = number | 'new' | 'guarded';

export type StreamAppend = {
  readonly streamId: string;
  readonly partition: number;
  readonly expectedVersion: ExpectedVersion;
  readonly events: readonly NewDomainEvent[];
};

/** A statement that takes the rows of many appends at once. `$1`, `$2`, ... are what `parameters` returns, in order. */
export type BatchStatement<Row> = {
  readonly name: string;
  readonly sql: string;
  readonly parameters: (rows: readonly Row[]) => unknown[];
};

/** A row to be written in the transaction of the append. */
export type Write<Row = unknown> = { readonly statement: BatchStatement<Row>; readonly row: Row };

/**
 * A condition on a row that is changed by testing it: the statement returns `key` and `stream_version` for each row that
 * met the condition, and an append whose key is missing is refused. It runs under the locks of all heads concerned.
 */
export type Guard<Row = unknown> = Write<Row> & { readonly key: string };

/** One all-or-nothing addition to the log, together with rows beside it. */
export type Append = {
  readonly streams: readonly StreamAppend[];
  readonly metadata: DomainEventMetadata;
  /** Refused when the configuration of that partition has moved past this position. */
  readonly routedWith?: { readonly partition: number; readonly configurationPosition: number };
  /** True when these domain events change what later events are routed with, or the types of those among them that do. */
  readonly movesConfiguration?: boolean | ReadonlySet<string>;
  /** Refused when another owner has taken over the deliveries of that partition. */
  readonly fence?: { readonly partition: number; readonly epoch: number };
  readonly guard?: Guard;
  readonly writes?: readonly Write[];
  /** Runs in the transaction after the insert, for the rare appends that keep a table in step with the log. */
  readonly project?: (events: readonly RecordedEvent[], run: RunQuery) => Promise<void>;
};

export type RunQuery = (sql: string, parameters: unknown[]) => Promise<{ rows: Record<string, unknown>[] }>;

export type AppendResult =
  | { readonly kind: 'appended'; readonly events: readonly RecordedEvent[] }
  /** `actual` is the version the stream has. */
  | { readonly kind: 'version-conflict'; readonly streamId: string; readonly actual: number }
  | { readonly kind: 'configuration-moved'; readonly partition: number }
  | { readonly kind: 'fenced'; readonly partition: number }
  | { readonly kind: 'guard-refused'; readonly key: string };

/** The log could not be reached, or the answer to a commit was lost: the append may or may not have happened. */
export class StoreUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreUnavailable';
  }
}
