import { EXPECTED_ANSWERS } from './clients.ts';
import type { History, LoggedDelivery, Step } from './history.ts';
import type { Entry } from './ledger.ts';
import { attemptKey, type Received } from './receiver.ts';

export type Terminal = 'succeeded' | 'dead_lettered' | 'cancelled';
/** `none`: it was never owed. */
export type End = Terminal | 'none';

export type Evidence = {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly received: readonly Received[];
  readonly history: History;
  readonly subscriptionIds: readonly string[];
  /** In what states a delivery may end. */
  readonly mayEnd: (eventId: string, subscriptionId: string) => readonly End[];
  /** Requests that may have come twice: those whose result was not recorded when something broke. */
  readonly duplicatesMax: number;
  /** How often the fault really happened, and how often it had to. */
  readonly faults: number;
  readonly faultsMin: number;
};

export type Rule =
  | 'lost'
  | 'phantom'
  | 'unaccounted'
  | 'duplicates'
  | 'body'
  | 'signature'
  | 'stuck'
  | 'sequence'
  | 'positions'
  | 'chain'
  | 'projections'
  | 'answers'
  | 'void'
  | 'scenario';

export type Finding = { readonly rule: Rule; readonly text: string };

export type Verdict = {
  readonly findings: readonly Finding[];
  readonly acknowledged: number;
  readonly delivered: number;
  readonly duplicates: number;
  readonly lost: number;
  readonly phantom: number;
};

const ENDS: Readonly<Record<string, Terminal>> = {
  AttemptSucceeded: 'succeeded',
  DeliveryDeadLettered: 'dead_lettered',
  DeliveryCancelled: 'cancelled',
};

export const terminalOf = ({ steps }: LoggedDelivery): Terminal | undefined => ENDS[steps.at(-1)?.type ?? ''];

/** What may follow what in the stream of a delivery that nobody replays. */
const FOLLOWS: Readonly<Record<string, readonly string[]>> = {
  '': ['AttemptScheduled'],
  AttemptScheduled: ['AttemptSucceeded', 'AttemptFailed', 'AttemptRescheduled', 'DeliveryCancelled'],
  AttemptRescheduled: ['AttemptSucceeded', 'AttemptFailed', 'AttemptRescheduled', 'DeliveryCancelled'],
  AttemptFailed: ['AttemptScheduled', 'DeliveryDeadLettered', 'DeliveryCancelled'],
};

/** Why a stream cannot have come about; undefined when it can. */
const sequenceFault = (steps: readonly Step[]): string | undefined => {
  let before = '';
  let attempt = 0;
  for (const [index, step] of steps.entries()) {
    if (step.version !== index + 1) return `has version ${step.version} in place ${index + 1}`;
    if (!FOLLOWS[before]?.includes(step.type)) return `has ${step.type} after ${before || 'nothing'}`;
    if (step.type === 'AttemptScheduled') attempt += 1;
    if (step.attempt !== null && step.attempt !== attempt)
      return `has ${step.type} of attempt ${step.attempt} while ${attempt} is pending`;
    before = step.type;
  }
  return undefined;
};

type Found = (rule: Rule, text: string) => void;

/** Everything that was accepted must have come to an end, and a success is one the receiver knows of. */
const checkLost = (evidence: Evidence, found: Found): void => {
  const { entries, history, received, subscriptionIds, mayEnd } = evidence;
  const logged = new Map(history.events.map((event) => [event.eventId, event]));
  const confirmed = new Set(
    received
      .filter(({ answered }) => answered !== undefined && answered >= 200 && answered <= 299)
      .map(({ deliveryId }) => deliveryId),
  );
  const owed = new Map(
    history.deliveries.map((delivery) => [`${delivery.eventId} ${delivery.subscriptionId}`, delivery]),
  );
  for (const { eventId, state } of entries.values()) {
    if (state === 'acknowledged' && !logged.has(eventId))
      found('lost', `event ${eventId} was acknowledged and is not in the log`);
    if (!logged.has(eventId)) continue;
    for (const subscriptionId of subscriptionIds) {
      const delivery = owed.get(`${eventId} ${subscriptionId}`);
      const end = delivery && terminalOf(delivery);
      const allowed = mayEnd(eventId, subscriptionId);
      if (!delivery && allowed.includes('none')) continue;
      if (!delivery) found('lost', `event ${eventId} has no delivery to ${subscriptionId}`);
      else if (!end) found('lost', `delivery ${delivery.deliveryId} has not ended: ${typesOf(delivery)}`);
      else if (!allowed.includes(end))
        found('lost', `delivery ${delivery.deliveryId} ended as ${end}: ${typesOf(delivery)}`);
      else if (end === 'succeeded' && !confirmed.has(delivery.deliveryId))
        found('lost', `delivery ${delivery.deliveryId} succeeded, and its receiver never said so`);
    }
  }
};

const typesOf = ({ steps }: LoggedDelivery): string =>
  steps.map(({ type, reason }) => (reason === null ? type : `${type} (${reason})`)).join(', ');

/** Nothing may be there that nobody sent, and nothing twice. */
const checkPhantoms = ({ entries, received, history }: Evidence, found: Found): void => {
  const deliveries = new Set(history.deliveries.map(({ deliveryId }) => deliveryId));
  const seen = new Set<string>();
  for (const { eventId, sha256 } of history.events) {
    const entry = entries.get(eventId);
    if (!entry) found('phantom', `event ${eventId} is in the log and was never sent`);
    else if (entry.sha256 !== sha256) found('body', `event ${eventId} was ingested with another payload`);
    if (seen.has(eventId)) found('phantom', `event ${eventId} was ingested twice`);
    seen.add(eventId);
  }
  for (const { eventId, deliveryId } of received)
    if (!entries.has(eventId) || !deliveries.has(deliveryId))
      found('phantom', `delivery ${deliveryId} of event ${eventId} was received and never owed`);
};

/** Requests that were made before, and those for a delivery that the receiver has already accepted. */
const countDuplicates = (received: readonly Received[]): number => {
  const keys = new Set<string>();
  const accepted = new Map<string, number>();
  let duplicates = 0;
  for (const request of received) {
    const { deliveryId, answered = 0, answeredAtMs = Number.POSITIVE_INFINITY } = request;
    const isLate = (accepted.get(deliveryId) ?? Number.POSITIVE_INFINITY) < request.atMs;
    if (keys.has(attemptKey(request)) || isLate) duplicates += 1;
    keys.add(attemptKey(request));
    if (answered >= 200 && answered <= 299)
      accepted.set(deliveryId, Math.min(answeredAtMs, accepted.get(deliveryId) ?? Number.POSITIVE_INFINITY));
  }
  return duplicates;
};

const checkRequests = ({ entries, received, history, duplicatesMax }: Evidence, found: Found): number => {
  const scheduled = new Set(
    history.deliveries.flatMap(({ deliveryId, steps }) =>
      steps
        .filter(({ type }) => type === 'AttemptScheduled')
        .map(({ attempt }) => attemptKey({ deliveryId, attempt: attempt ?? 0 })),
    ),
  );
  const duplicates = countDuplicates(received);
  for (const key of new Set(received.map(attemptKey)))
    if (!scheduled.has(key)) found('unaccounted', `request ${key} was received and never scheduled`);
  if (duplicates > duplicatesMax) found('duplicates', `${duplicates} requests came twice, ${duplicatesMax} may have`);
  for (const request of received) {
    const sent = entries.get(request.eventId);
    if (sent && sent.sha256 !== request.sha256) found('body', `request ${attemptKey(request)} carried another body`);
    if (!request.isSigned) found('signature', `request ${attemptKey(request)} does not verify`);
  }
  return duplicates;
};

const checkLog = ({ history }: Evidence, found: Found): void => {
  for (const { partition, head, count, first, last } of history.partitions)
    if (count !== head || (last ?? 0) !== head || (head > 0 && first !== 1))
      found(
        'positions',
        `log partition ${partition}: ${count} domain events from ${first} to ${last}, head at ${head}`,
      );
  for (const delivery of history.deliveries) {
    const fault = sequenceFault(delivery.steps);
    if (fault) found('sequence', `delivery ${delivery.deliveryId} ${fault}: ${typesOf(delivery)}`);
  }
  for (const text of history.faults) found('chain', text);
  for (const text of history.projections) found('projections', text);
  checkWorkList(history, found);
};

/** The work list and the log must tell the same, and nothing in it may be overdue. */
const checkWorkList = ({ workList, deliveries }: History, found: Found): void => {
  const rows = new Map(workList.map((row) => [row.deliveryId, row]));
  for (const delivery of deliveries) {
    const row = rows.get(delivery.deliveryId);
    rows.delete(delivery.deliveryId);
    const attempt = delivery.steps.findLast(({ type }) => type === 'AttemptScheduled')?.attempt;
    if (terminalOf(delivery) && row)
      found('stuck', `delivery ${delivery.deliveryId} has ended and is in the work list`);
    if (!terminalOf(delivery) && row?.attempt !== attempt)
      found('stuck', `delivery ${delivery.deliveryId} waits for attempt ${attempt}, the work list has ${row?.attempt}`);
  }
  for (const deliveryId of rows.keys()) found('stuck', `delivery ${deliveryId} is in the work list and not in the log`);
  for (const { deliveryId, attempt, isDue } of workList)
    if (isDue) found('stuck', `delivery ${deliveryId} is due for attempt ${attempt} and nobody sends it`);
};

/** Compares what was sent, what arrived and what was recorded. Pure: all of it was gathered before. */
export const check = (evidence: Evidence): Verdict => {
  const { entries, history, faults, faultsMin } = evidence;
  const findings: Finding[] = [];
  const found: Found = (rule, text) => findings.push({ rule, text });
  checkLost(evidence, found);
  checkPhantoms(evidence, found);
  const duplicates = checkRequests(evidence, found);
  checkLog(evidence, found);
  for (const { eventId, answers, surprise } of entries.values())
    for (const answer of answers)
      if (!EXPECTED_ANSWERS.has(answer)) found('answers', `event ${eventId} was answered ${answer}: ${surprise}`);
  if (faults < faultsMin)
    found('void', `the fault happened ${faults} times instead of ${faultsMin}: this proves nothing`);
  const count = (rule: Rule): number => findings.filter((finding) => finding.rule === rule).length;
  return {
    findings,
    acknowledged: [...entries.values()].filter(({ state }) => state === 'acknowledged').length,
    delivered: history.deliveries.filter((delivery) => terminalOf(delivery) === 'succeeded').length,
    duplicates,
    lost: count('lost'),
    phantom: count('phantom'),
  };
};
