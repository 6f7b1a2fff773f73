import { describe, expect, it } from 'vitest';
import { check, type Evidence, type Rule } from './checker.ts';
import type { LoggedDelivery, Step } from './history.ts';
import type { Entry } from './ledger.ts';
import type { Received } from './receiver.ts';

const entry: Entry = {
  eventId: 'e',
  sha256: 'aa',
  sentAtMs: 0,
  acknowledgedAtMs: 1,
  state: 'acknowledged',
  answers: [503, 200],
};
const step = (version: number, type: string, attempt: number | null = 1): Step => ({
  version,
  type,
  attempt,
  reason: null,
});
const delivery: LoggedDelivery = {
  deliveryId: 'd',
  eventId: 'e',
  subscriptionId: 's',
  steps: [
    step(1, 'AttemptScheduled'),
    step(2, 'AttemptFailed'),
    step(3, 'AttemptScheduled', 2),
    step(4, 'AttemptSucceeded', 2),
  ],
};
const request = (attempt: number, answered: number): Received => ({
  path: '/hook/0',
  eventId: 'e',
  deliveryId: 'd',
  attempt,
  atMs: attempt,
  sha256: 'aa',
  isSigned: true,
  port: 1,
  answered,
  answeredAtMs: attempt + 0.5,
});
const history: Evidence['history'] = {
  events: [{ eventId: 'e', sha256: 'aa' }],
  deliveries: [delivery],
  partitions: [{ partition: 0, head: 5, count: 5, first: 1, last: 5 }],
  workList: [],
  faults: [],
  projections: [],
};
const well: Evidence = {
  entries: new Map([['e', entry]]),
  received: [request(1, 500), request(2, 200)],
  history,
  subscriptionIds: ['s'],
  mayEnd: () => ['succeeded'],
  duplicatesMax: 0,
  faults: 1,
  faultsMin: 1,
};
const withHistory = (changed: Partial<Evidence['history']>): Evidence => ({
  ...well,
  history: { ...history, ...changed },
});
const withSteps = (...steps: Step[]): Evidence => withHistory({ deliveries: [{ ...delivery, steps }] });
const withEntry = (changed: Partial<Entry>): Evidence => ({
  ...well,
  entries: new Map([['e', { ...entry, ...changed }]]),
});
const withSecond = (changed: Partial<Received>): Evidence => ({
  ...well,
  received: [request(1, 500), { ...request(2, 200), ...changed }],
});

const rulesOf = (evidence: Evidence): Rule[] => [...new Set(check(evidence).findings.map(({ rule }) => rule))];

describe('the checker of the chaos scenarios', () => {
  it('finds nothing where all is well', () => {
    expect(check(well)).toEqual({ findings: [], acknowledged: 1, delivered: 1, duplicates: 0, lost: 0, phantom: 0 });
  });

  const broken: readonly (readonly [what: string, rule: Rule, evidence: Evidence])[] = [
    ['an acknowledged event that the log lacks', 'lost', withHistory({ events: [] })],
    ['an event without its delivery', 'lost', { ...withHistory({ deliveries: [] }), received: [] }],
    ['a delivery without an end', 'lost', withSteps(step(1, 'AttemptScheduled'))],
    ['an end that nobody expects', 'lost', { ...well, mayEnd: () => ['dead_lettered'] }],
    ['a success that the receiver denies', 'lost', withSecond({ answered: undefined })],
    ['an event that nobody sent', 'phantom', { ...well, entries: new Map() }],
    ['a request that nobody was owed', 'phantom', withSecond({ deliveryId: 'other' })],
    ['an event ingested twice', 'phantom', withHistory({ events: [...history.events, ...history.events] })],
    ['a request that was never scheduled', 'unaccounted', { ...well, received: [...well.received, request(3, 200)] }],
    ['a request that came twice', 'duplicates', { ...well, received: [...well.received, request(2, 200)] }],
    ['a request after it was accepted', 'duplicates', { ...well, received: [request(1, 200), request(2, 200)] }],
    ['another body on the wire', 'body', withSecond({ sha256: 'bb' })],
    ['another body in the log', 'body', withHistory({ events: [{ eventId: 'e', sha256: 'bb' }] })],
    ['a signature that does not verify', 'signature', withSecond({ isSigned: false })],
    [
      'a row of something that is over',
      'stuck',
      withHistory({ workList: [{ deliveryId: 'd', attempt: 2, isDue: false }] }),
    ],
    ['a row without a delivery', 'stuck', withHistory({ workList: [{ deliveryId: 'x', attempt: 1, isDue: false }] })],
    ['a delivery without its row', 'stuck', withSteps(step(1, 'AttemptScheduled'))],
    ['a gap in the versions', 'sequence', withSteps(step(1, 'AttemptScheduled'), step(3, 'AttemptSucceeded'))],
    [
      'two ends',
      'sequence',
      withSteps(step(1, 'AttemptScheduled'), step(2, 'AttemptSucceeded'), step(3, 'AttemptSucceeded')),
    ],
    [
      'the result of another attempt',
      'sequence',
      withSteps(step(1, 'AttemptScheduled'), step(2, 'AttemptSucceeded', 2)),
    ],
    [
      'a hole in the positions',
      'positions',
      withHistory({ partitions: [{ partition: 0, head: 5, count: 4, first: 1, last: 5 }] }),
    ],
    ['a fault in the chain', 'chain', withHistory({ faults: ['was changed'] })],
    ['a read model that is not its rebuild', 'projections', withHistory({ projections: ['delivery'] })],
    ['an answer that is no answer', 'answers', withEntry({ answers: [500, 201] })],
    ['a fault that never happened', 'void', { ...well, faults: 0 }],
  ];
  it.each(broken)('finds %s', (_, rule, evidence) => {
    expect(rulesOf(evidence)).toContain(rule);
  });

  it('takes as many requests for duplicates as may have come twice', () => {
    const twice = { ...well, received: [...well.received, request(2, 200)], duplicatesMax: 1 };
    expect(check(twice)).toMatchObject({ findings: [], duplicates: 1 });
  });

  it('asks nothing for an event that is not there and was never acknowledged', () => {
    const gone = { ...withEntry({ state: 'abandoned', answers: [0] }), received: [] };
    expect(rulesOf({ ...gone, history: { ...history, events: [], deliveries: [] } })).toEqual([]);
  });
});
