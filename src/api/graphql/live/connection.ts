import type { RawData, WebSocket } from 'ws';
import { z } from 'zod';
import type { LiveHub, LiveReader } from '../../../live/hub.ts';
import { AheadOfLog, type Batch, type Sink } from '../../../live/sink.ts';
import type { LiveKind } from '../../../live/topic.ts';
import type { TrafficTick } from '../../../live/traffic.ts';
import type { Principal } from '../../auth/principal.ts';
import { Problem, problemDocument } from '../../problems.ts';
import type { LiveOperation, ReadLiveOperation } from './operation.ts';

/** Close codes of the graphql-transport-ws protocol. */
const CLOSE = {
  goingAway: 1001,
  invalidMessage: 4400,
  unauthorized: 4401,
  forbidden: 4403,
  initTimeout: 4408,
  subscriberExists: 4409,
  tooManyInits: 4429,
} as const;

const INIT_TIMEOUT_MS = 10_000;
const OPERATIONS_MAX = 50;
/** Bytes that wait to be sent, beyond which nothing is added: a batch of 500 items is some 200 kB. */
const BUFFERED_MAX = 512 * 1024;
/**
 * Bytes that wait to be sent, beyond which whoever asks for more is cut off. Answers to pings and refusals are not held back, so
 * a client that sends and never reads would fill the memory; of pings of the socket itself `ws` takes care. Far above what a slow
 * reader of batches can come to.
 */
const UNREAD_MAX = 16 * 1024 * 1024;
const REASON_BYTES_MAX = 123;

const Init = z.object({
  type: z.literal('connection_init'),
  payload: z.object({ authorization: z.string().optional(), Authorization: z.string().optional() }).nullish(),
});
const Subscribe = z.object({
  type: z.literal('subscribe'),
  id: z.string().min(1).max(100),
  payload: z.object({
    query: z.string(),
    variables: z.record(z.string(), z.unknown()).nullish(),
    operationName: z.string().nullish(),
  }),
});
const Complete = z.object({ type: z.literal('complete'), id: z.string() });
const Ping = z.object({ type: z.literal('ping'), payload: z.unknown().optional() });
const Pong = z.object({ type: z.literal('pong'), payload: z.unknown().optional() });
const Message = z.discriminatedUnion('type', [Init, Subscribe, Complete, Ping, Pong]);

/** Answers to a batch by the operation that asks; gone with the batch. */
export type Answers = WeakMap<object, Map<string, string>>;

/** What is watched, and whose it is. */
export type LiveResource = { readonly organizationId: string; readonly applicationId: string };

export type ConnectionDeps = {
  readonly hub: LiveHub;
  readonly read: ReadLiveOperation;
  readonly answers: Answers;
  /** Who it is, by what an Authorization header would say; rejects with Problem. */
  readonly authenticate: (authorization: string | undefined) => Promise<Principal>;
  /** What an operation is about, when whoever asks may watch it; rejects with Problem. */
  readonly resourceOf: (principal: Principal, operation: LiveOperation) => Promise<LiveResource>;
  /** Whether they still may; throws Problem. */
  readonly requireAllowed: (principal: Principal, kind: LiveKind, resource: LiveResource) => void;
  readonly toProblem: (error: unknown) => Problem;
  readonly onError: (error: unknown) => void;
};

export type Connection = {
  /**
   * Whether the token still opens what it opened: closes the socket when it opens nothing, and ends what it no longer opens, since
   * somebody was removed from the organization or a restriction of the token came true.
   */
  readonly checkToken: () => Promise<void>;
  /** Ends everything, because the server stops. */
  readonly close: () => void;
};

/** One subscription of a socket, from the message that asks for it; told apart from a later one with the same id. */
type Watch = { reader: LiveReader | undefined; mayGoOn: ((principal: Principal) => void) | undefined };

/** One socket that speaks graphql-transport-ws: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md */
export const createConnection = (socket: WebSocket, deps: ConnectionDeps): Connection => {
  const watches = new Map<string, Watch>();
  /** Subscriptions that are being looked up, those that were completed meanwhile included. */
  let opening = 0;
  let isOpen = false;
  let authorization: string | undefined;
  let isInitialising = false;
  const waiting: (() => void)[] = [];

  const close = (code: number, reason: string): void => {
    socket.close(code, Buffer.from(reason).subarray(0, REASON_BYTES_MAX).toString());
  };
  const initTimer = setTimeout(() => close(CLOSE.initTimeout, 'Connection initialisation timeout'), INIT_TIMEOUT_MS);

  const isReady = (): boolean => socket.readyState === socket.OPEN && socket.bufferedAmount < BUFFERED_MAX;
  const release = (): void => {
    if (!isReady() && socket.readyState === socket.OPEN) return;
    for (const resolve of waiting.splice(0)) resolve();
  };
  const sendText = (text: string): void => {
    if (socket.readyState === socket.OPEN) socket.send(text, release);
  };
  const send = (message: Readonly<Record<string, unknown>>): void => sendText(JSON.stringify(message));

  const answerTo = (operation: LiveOperation, batch: Batch | TrafficTick): string => {
    const known = deps.answers.get(batch) ?? new Map<string, string>();
    const answer = known.get(operation.answerKey) ?? operation.answer(batch);
    known.set(operation.answerKey, answer);
    deps.answers.set(batch, known);
    return answer;
  };

  const refuse = (id: string, error: unknown): void => {
    const problem =
      error instanceof AheadOfLog
        ? new Problem(
            'GraphqlValidation',
            `\`after\` is not a place in this log: ${error.message}. Leave it out to begin with now.`,
          )
        : deps.toProblem(error);
    if (problem.status >= 500) deps.onError(error);
    send({
      id,
      type: 'error',
      payload: [{ message: problem.message, extensions: { ...problemDocument(problem, id) } }],
    });
  };

  const stop = (id: string): void => {
    watches.get(id)?.reader?.close();
    watches.delete(id);
  };

  const sinkOf = (id: string, watch: Watch, operation: LiveOperation): Sink => ({
    isReady,
    ready: () =>
      isReady() || socket.readyState !== socket.OPEN
        ? Promise.resolve()
        : new Promise((resolve) => waiting.push(resolve)),
    write: (batch) => {
      if (watches.get(id) === watch)
        sendText(`{"id":${JSON.stringify(id)},"type":"next","payload":${answerTo(operation, batch)}}`);
    },
    fail: (error) => {
      if (watches.get(id) !== watch) return;
      stop(id);
      refuse(id, error);
    },
  });

  const subscribe = async ({ id, payload }: z.output<typeof Subscribe>, watch: Watch): Promise<void> => {
    opening += 1;
    try {
      if (Math.max(watches.size, opening) > OPERATIONS_MAX)
        throw new Problem('GraphqlLimit', `A socket carries at most ${OPERATIONS_MAX} subscriptions.`);
      const { query, variables, operationName } = payload;
      const operation = deps.read({ query, variables: variables ?? {}, operationName: operationName ?? undefined });
      const { kind, filter } = operation;
      // Anew, since the socket may be older than what its owner may do now.
      const resource = await deps.resourceOf(await deps.authenticate(authorization), operation);
      if (watches.get(id) !== watch) return; // Completed meanwhile.
      const topic = { kind, applicationId: resource.applicationId, filter };
      watch.mayGoOn = (principal) => deps.requireAllowed(principal, kind, resource);
      watch.reader = deps.hub.open(topic, operation.after, sinkOf(id, watch, operation));
    } catch (error) {
      if (watches.get(id) !== watch) return;
      watches.delete(id);
      refuse(id, error);
    } finally {
      opening -= 1;
    }
  };

  const initialise = async ({ payload }: z.output<typeof Init>): Promise<void> => {
    if (isInitialising) {
      close(CLOSE.tooManyInits, 'Too many initialisation requests');
      return;
    }
    isInitialising = true;
    authorization = payload?.authorization ?? payload?.Authorization;
    try {
      await deps.authenticate(authorization);
    } catch (error) {
      close(CLOSE.forbidden, deps.toProblem(error).message);
      return;
    }
    clearTimeout(initTimer);
    isOpen = true;
    send({ type: 'connection_ack' });
  };

  const messageOf = (data: RawData): z.output<typeof Message> | undefined => {
    try {
      return Message.parse(JSON.parse(String(data)));
    } catch {
      return undefined; // Told to the client by the close code.
    }
  };

  const begin = (message: z.output<typeof Subscribe>): void => {
    if (!isOpen) close(CLOSE.unauthorized, 'Unauthorized');
    else if (watches.has(message.id)) close(CLOSE.subscriberExists, `Subscriber for ${message.id} already exists`);
    else {
      const watch: Watch = { reader: undefined, mayGoOn: undefined };
      watches.set(message.id, watch);
      void subscribe(message, watch);
    }
  };

  const cutOffUnread = (): void => {
    if (socket.bufferedAmount > UNREAD_MAX) socket.terminate();
  };

  const receive = (data: RawData): void => {
    cutOffUnread();
    const message = messageOf(data);
    switch (message?.type) {
      case 'connection_init':
        void initialise(message);
        break;
      case 'subscribe':
        begin(message);
        break;
      case 'complete':
        stop(message.id);
        break;
      case 'ping':
        send(message.payload === undefined ? { type: 'pong' } : { type: 'pong', payload: message.payload });
        break;
      case 'pong':
        break;
      default:
        close(CLOSE.invalidMessage, 'The message is not one of graphql-transport-ws');
    }
  };

  socket.on('message', receive);
  socket.on('close', () => {
    clearTimeout(initTimer);
    for (const id of [...watches.keys()]) stop(id);
    release();
  });
  socket.on('error', () => socket.terminate());

  return {
    checkToken: async () => {
      if (!isOpen) return;
      let principal: Principal;
      try {
        principal = await deps.authenticate(authorization);
      } catch (error) {
        const problem = deps.toProblem(error);
        // A database that is away says nothing about the token.
        if (problem.status < 500) close(CLOSE.forbidden, problem.message);
        return;
      }
      for (const [id, watch] of [...watches])
        try {
          watch.mayGoOn?.(principal);
        } catch (error) {
          stop(id);
          refuse(id, error);
        }
    },
    close: () => close(CLOSE.goingAway, 'The server stops; connect again and resume'),
  };
};
