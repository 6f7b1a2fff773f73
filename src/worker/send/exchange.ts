import type { Dispatcher } from 'undici';
import type { AttemptTimings } from '../../domain/delivery/events.ts';
import type { Opening } from '../egress/opening.ts';
import { BoundedBody } from './bounded-body.ts';
import { classify, type Failure, INVALID_RESPONSE, NEVER_SENT, TIMEOUT } from './failure.ts';

export type ResponseHeaders = Readonly<Record<string, string | string[]>>;
export type SendOutcome =
  | {
      readonly kind: 'response';
      readonly status: number;
      readonly headers: ResponseHeaders;
      readonly body: Buffer;
      /** The body went on beyond the limit or the time, or broke off. */
      readonly truncated: boolean;
      readonly retryAfter?: string;
      readonly timings: AttemptTimings;
    }
  | ({ readonly kind: 'failure'; readonly timings: AttemptTimings } & Failure);

type Settle = { readonly resolve: (outcome: SendOutcome) => void; readonly reject: (error: unknown) => void };
/** The one exchange whose dispatch is running, and the connection just handed over; both last for one call. */
export type Hand = { dispatching: Exchange | undefined; opened: Opening | undefined };

const INFORMATIONAL_MAX = 64;

/**
 * One request as undici's parser sees it. Once the final status is in, it is the answer: what the body does afterwards
 * (drips, never ends, breaks off) can only truncate it.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #startedAt = performance.now();
  readonly #settle: Settle;
  readonly #hand: Hand;
  readonly #body: BoundedBody;
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  #opening: Opening | undefined;
  #firstByteAt: number | undefined;
  #informational = 0;
  #status: number | undefined;
  #headers: ResponseHeaders = {};
  #settled = false;

  constructor(settle: Settle, hand: Hand, timeoutMs: number, responseBytesMax: number) {
    this.#settle = settle;
    this.#hand = hand;
    this.#body = new BoundedBody(responseBytesMax);
    this.#timer = setTimeout(onDeadline, timeoutMs, this);
  }

  /** undici asked for a connection on behalf of this request. */
  waitFor(opening: Opening): void {
    this.#opening = opening;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown rather than aborted: nothing is written yet, and an abort would cost a healthy socket.
    if (this.#settled) throw TOO_LATE;
    this.#controller = controller;
    this.#opening = this.#hand.opened; // None: the socket is a reused one.
  }

  onResponseStarted(): void {
    this.#firstByteAt ??= performance.now();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: object): void {
    if (status >= 102 && status < 200 && this.#informational++ < INFORMATIONAL_MAX) return;
    if (status < 200 || status > 599) {
      this.#fail(INVALID_RESPONSE);
    } else {
      this.#status = status;
      this.#headers = headers as ResponseHeaders;
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#settled && !this.#body.append(chunk)) this.#respond(true);
  }

  onResponseEnd(): void {
    if (!this.#settled) this.#respond(false);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#settled) return;
    const failure = classify(error, this.#firstByteAt !== undefined);
    if (this.#status !== undefined) {
      this.#respond(true);
    } else if (failure !== undefined) {
      this.#fail(failure);
    } else {
      this.#finish();
      this.#settle.reject(error);
    }
  }

  expire(): void {
    if (this.#status !== undefined) this.#respond(true);
    else this.#fail(this.#controller === undefined && this.#opening === undefined ? NEVER_SENT : TIMEOUT);
  }

  #respond(truncated: boolean): void {
    const timings = this.#finish();
    const retryAfter = [this.#headers['retry-after']].flat()[0];
    this.#settle.resolve({
      kind: 'response',
      status: this.#status ?? 0,
      headers: this.#headers,
      body: this.#body.take(),
      truncated,
      ...(retryAfter === undefined ? {} : { retryAfter }),
      timings,
    });
    if (truncated) this.#controller?.abort(TOO_LATE);
  }

  #fail({ reason, message }: Failure): void {
    this.#settle.resolve({ kind: 'failure', reason, message, timings: this.#finish() });
    this.#controller?.abort(TOO_LATE);
  }

  #finish(): AttemptTimings {
    this.#settled = true;
    clearTimeout(this.#timer);
    return timingsOf(this.#startedAt, this.#opening, this.#firstByteAt, performance.now());
  }
}

/**
 * The phases add up to the total: a wait for a free connection counts as waiting for the first byte, and whatever was
 * under way when a request failed has the time it had taken so far.
 */
const timingsOf = (start: number, opening: Opening | undefined, firstByte: number | undefined, end: number) => {
  const totalMs = end - start;
  if (opening === undefined) return { ...REUSED, ...answerTimes(end - start, firstByte, end), totalMs };
  const phases = opening.durations(end);
  const openingMs = (phases.dnsMs ?? 0) + (phases.connectMs ?? 0) + (phases.tlsMs ?? 0);
  return { ...phases, ...answerTimes(totalMs - openingMs, firstByte, end), totalMs };
};

const answerTimes = (restMs: number, firstByte: number | undefined, end: number) =>
  firstByte === undefined
    ? { firstByteMs: restMs, bodyMs: null }
    : { firstByteMs: restMs - (end - firstByte), bodyMs: end - firstByte };

const REUSED = { dnsMs: null, connectMs: null, tlsMs: null };
const TOO_LATE = new Error('The request is settled already.');
const onDeadline = (exchange: Exchange): void => exchange.expire();
