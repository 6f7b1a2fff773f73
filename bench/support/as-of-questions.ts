import type { Pool } from 'pg';
import type { LogReader } from '../../src/eventstore/read.ts';
import type { Past } from '../../src/projections/as-of/past.ts';
import { listSubscriptionsAsOf } from '../../src/projections/configuration/as-of.ts';
import { listSubscriptions } from '../../src/projections/configuration/queries.ts';
import { countsAsOf, countsOf } from '../../src/projections/counts/queries.ts';
import { listDeadLettersAsOf } from '../../src/projections/dead-letter/as-of.ts';
import { listDeadLetters } from '../../src/projections/dead-letter/queries.ts';
import { listDeliveriesAsOf } from '../../src/projections/delivery/as-of.ts';
import { listDeliveries } from '../../src/projections/delivery/queries.ts';
import { listEventsAsOf } from '../../src/projections/event/as-of.ts';
import { listEvents } from '../../src/projections/event/queries.ts';
import { listRequestAttemptsAsOf } from '../../src/projections/request-attempt/as-of.ts';
import { listRequestAttempts } from '../../src/projections/request-attempt/queries.ts';
import type { HistoryTenant } from './history.ts';

type Context = {
  readonly pool: Pool;
  readonly reader: LogReader;
  readonly tenant: HistoryTenant;
  /** Undefined asks the present. */
  readonly past?: Past;
};

const page = { limit: 100 };
type Ask = (context: Context, applicationId: string) => Promise<unknown>;
const ASKED = {
  events: ({ pool, past }, id) => (past ? listEventsAsOf(past, id, page) : listEvents(pool, id, page)),
  'events with a pending delivery': ({ pool, past }, id) => {
    const filter = { ...page, status: 'pending' } as const;
    return past ? listEventsAsOf(past, id, filter) : listEvents(pool, id, filter);
  },
  deliveries: ({ pool, past }, id) => (past ? listDeliveriesAsOf(past, id, page) : listDeliveries(pool, id, page)),
  'pending deliveries': ({ pool, past }, id) => {
    const filter = { ...page, status: 'pending' } as const;
    return past ? listDeliveriesAsOf(past, id, filter) : listDeliveries(pool, id, filter);
  },
  'deliveries of a subscription': ({ pool, past, tenant }, id) => {
    const filter = { ...page, subscriptionId: tenant.subscriptionIds[0] };
    return past ? listDeliveriesAsOf(past, id, filter) : listDeliveries(pool, id, filter);
  },
  'request attempts': ({ pool, past }, id) =>
    past ? listRequestAttemptsAsOf(past, id, page) : listRequestAttempts(pool, id, page),
  'dead letters': ({ pool, past }, id) =>
    past ? listDeadLettersAsOf(past, id, page) : listDeadLetters(pool, id, page),
  subscriptions: ({ pool, past }, id) =>
    past ? listSubscriptionsAsOf(past, id, page) : listSubscriptions(pool, id, page),
  counts: ({ pool, past, tenant }, id) =>
    past ? countsAsOf(past, id, tenant.partition) : countsOf(pool, id, new Date()),
} satisfies Record<string, Ask>;

export type Question = keyof typeof ASKED;
export const QUESTIONS = Object.keys(ASKED) as Question[];

export const ask = (question: Question, context: Context): Promise<unknown> =>
  ASKED[question](context, context.tenant.applicationId);
