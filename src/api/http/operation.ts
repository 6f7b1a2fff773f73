import type { FastifySchema } from 'fastify';
import { z } from 'zod';
import type { ProblemId } from '../problems.ts';

/** Parts of the reference, in the order in which they are read. */
export const TAGS = {
  Events: 'What producers send, and what became of it.',
  'Event types': 'Which events an application knows.',
  Subscriptions: 'Who wants which events, and where they go.',
  Deliveries: 'One event owed to one subscription: its state, its attempts, and what can be done about it.',
  'Dead letters': 'Deliveries that were given up.',
  'Request attempts': 'Single HTTP requests made for deliveries, and what receivers answered.',
  Applications: 'What events, event types and subscriptions belong to.',
  'Application secrets': 'Bearer tokens with full power over one application and none beyond it.',
  'Service tokens': 'Biscuits for machines: of an organization, and restricted by whoever holds one.',
  Organizations: 'What applications belong to, and who is a member.',
  Quotas: 'Plans, limits, and what is used of them.',
  Accounts: 'People: registration, signing in, passwords, sessions.',
  Instance: 'What this installation is and allows.',
  Operations: 'For who runs the service.',
} as const;
export type Tag = keyof typeof TAGS;

/** What the reference says of a route besides its schemas. */
export type About = {
  /** The name of the operation in generated clients. */
  readonly id: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly description?: string;
  /** True for what needs no token. */
  readonly isPublic?: boolean;
  /** Refusals of its own; those that any route of its kind has are added. */
  readonly problems?: readonly ProblemId[];
};

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly problems?: readonly ProblemId[];
  }
}

export const BEARER = 'bearer';

/** The options of a route: its schemas, and what the reference says of it. */
export const operation = <const Schemas extends Pick<FastifySchema, 'body' | 'params' | 'querystring' | 'response'>>(
  { id, tag, summary, description, isPublic = false, problems = [] }: About,
  schemas: Schemas,
) => ({
  schema: {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: isPublic ? [] : [{ [BEARER]: [] }],
    ...schemas,
  },
  config: { problems },
});

/** For answers without a body. */
export const NoContent = z.null().describe('Done.');
