import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { Entry, Ledger } from './ledger.ts';
import type { Random } from './random.ts';

/** Accepted, repeated, try again; 0 stands for no answer at all. */
export const EXPECTED_ANSWERS = new Set([201, 200, 503, 0]);
const RETRY_MS = 50;
const PAYLOAD_CHARACTERS_MAX = 1_500;
/** Longer than the API may ever take to say that it cannot. */
const ANSWER_MS = 20_000;
/** How long a client insists on an answer once it was told to stop. */
const INSIST_MS = 15_000;

export type ClientOptions = {
  /** Where the API is, asked for each request. */
  readonly apiUrl: () => string;
  readonly token: string;
  readonly applicationId: string;
  readonly eventType: string;
  readonly ledger: Ledger;
  readonly random: Random;
  readonly clients: number;
  /** Between two events of one client, on average. */
  readonly pauseMs: number;
  /** Share of the clients that do not send again what broke off. */
  readonly abandonShare?: number;
  /** The clients stop by themselves after so many events together. */
  readonly eventsMax?: number;
};

export type Clients = {
  /** Requests without an answer yet. */
  readonly open: () => number;
  /** Nothing new is sent; resolves when everything sent was answered or given up. */
  readonly stop: () => Promise<void>;
  /** Resolves when all clients have stopped by themselves. */
  readonly done: Promise<void>;
};

/** Producers that send the same event again, under the same id, until they know that it is accepted. */
export const startClients = (options: ClientOptions): Clients => {
  const { ledger, random, eventsMax = Number.POSITIVE_INFINITY } = options;
  const dispatcher = new Agent({ headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS, connect: { timeout: 5_000 } });
  let open = 0;
  let insistUntil = Number.POSITIVE_INFINITY;
  let stopping = false;

  const ask = async (entry: Entry, body: string): Promise<number> => {
    open += 1;
    try {
      const answer = await request(`${options.apiUrl()}/api/v1/event`, {
        dispatcher,
        method: 'POST',
        headers: { authorization: `Bearer ${options.token}`, 'content-type': 'application/json' },
        body,
      });
      const text = await answer.body.text();
      entry.answers.push(answer.statusCode);
      if (!EXPECTED_ANSWERS.has(answer.statusCode)) entry.surprise ??= text.slice(0, 300);
      return answer.statusCode;
    } catch {
      entry.answers.push(0);
      return 0;
    } finally {
      open -= 1;
    }
  };

  const produce = async (entry: Entry, body: string, insists: boolean): Promise<void> => {
    for (;;) {
      const status = await ask(entry, body);
      if (status === 200 || status === 201) {
        entry.state = 'acknowledged';
        entry.acknowledgedAtMs = performance.now();
        return;
      }
      const mayPass = status === 0 || status === 503;
      if (!mayPass || !insists || performance.now() > insistUntil) {
        entry.state = 'abandoned';
        return;
      }
      await sleep(RETRY_MS + random.between(0, RETRY_MS));
    }
  };

  const runClient = async (number: number): Promise<void> => {
    const insists = number >= options.clients * (options.abandonShare ?? 0);
    await sleep(random.between(0, options.pauseMs));
    while (!stopping && ledger.entries.size < eventsMax) {
      const eventId = random.uuid();
      const payload = JSON.stringify({
        n: ledger.entries.size,
        text: 'x'.repeat(random.between(0, PAYLOAD_CHARACTERS_MAX)),
      });
      const entry = ledger.add(eventId, hash('sha256', payload, 'hex'));
      const body = JSON.stringify({
        application_id: options.applicationId,
        event_id: eventId,
        event_type: options.eventType,
        payload,
        payload_content_type: 'application/json',
        labels: { all: 'yes' },
        occurred_at: '2026-01-01T00:00:00Z',
      });
      await produce(entry, body, insists);
      await sleep(random.between(0, options.pauseMs * 2));
    }
  };

  const done = Promise.all(Array.from({ length: options.clients }, (_, number) => runClient(number))).then(() =>
    dispatcher.destroy(),
  );
  return {
    open: () => open,
    stop: () => {
      stopping = true;
      insistUntil = performance.now() + INSIST_MS;
      return done;
    },
    done,
  };
};
