import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Action } from '../../../domain/access/actions.ts';
import { notFound } from '../../../domain/refusals.ts';
import type { LiveKind } from '../../../live/topic.ts';
import { findApplication } from '../../../projections/configuration/queries.ts';
import { authorize } from '../../auth/authorize.ts';
import { seenFrom } from '../../auth/principal.ts';
import type { ApiDeps } from '../../deps.ts';
import { mayConnect } from '../../http/cors.ts';
import { toProblem } from '../../http/errors.ts';
import { clientAddress, createIsTrusted, requestHost } from '../../http/proxies.ts';
import { applicationIdOf } from '../../scope.ts';
import { type Connection, type ConnectionDeps, createConnection } from './connection.ts';
import { createLiveOperations } from './operation.ts';

const PROTOCOL = 'graphql-transport-ws';
const PATH = '/graphql';
const MESSAGE_BYTES_MAX = 64 * 1024;
/** Sockets of one process. */
const CONNECTIONS_MAX = 2_000;
/** How soon after its end a token opens nothing any more. */
const TOKEN_CHECK_MS = 2_000;
/** A socket that has not answered one ping before the next is taken for gone. */
const PING_MS = 15_000;

const ACTIONS: Readonly<Record<LiveKind, Action>> = {
  requestAttempts: 'request_attempt:list',
  deliveries: 'delivery:list',
  events: 'event:list',
  deadLetters: 'dead_letter:list',
  traffic: 'event:list',
  domainEvents: 'domain_event:list',
};

const refuseUpgrade = (socket: Duplex, status: string): void => {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
};

/** GraphQL subscriptions over WebSockets at `/graphql`, for as long as the server runs. */
export const registerLive = (app: FastifyInstance, deps: ApiDeps): void => {
  const { live: hub, pool, config, rateGuard, tenantView } = deps;
  const isTrusted = createIsTrusted(config.trustedProxies);
  const onError = (error: unknown): void => app.log.error({ err: error }, 'a live subscription failed');
  const connectionDeps: Omit<ConnectionDeps, 'authenticate'> = {
    hub,
    read: createLiveOperations(),
    answers: new WeakMap(),
    resourceOf: async (principal, { kind, applicationId: given }) => {
      const refusal = await rateGuard.principal(principal);
      if (refusal) throw refusal;
      const applicationId = applicationIdOf(principal, given);
      const application = await tenantView.run({ principal }, () => findApplication(pool, applicationId));
      if (!application) throw notFound('application', applicationId);
      const resource = { organizationId: application.organizationId, applicationId };
      authorize(principal, ACTIONS[kind], resource);
      return resource;
    },
    requireAllowed: (principal, kind, resource) => authorize(principal, ACTIONS[kind], resource),
    toProblem,
    onError,
  };
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_BYTES_MAX,
    clientTracking: true,
    handleProtocols: (protocols) => (protocols.has(PROTOCOL) ? PROTOCOL : false),
  });
  const connections = new Map<WebSocket, Connection>();
  const answered = new WeakSet<object>();

  server.on('connection', (socket, request) => {
    if (socket.protocol !== PROTOCOL) {
      socket.close(4406, `Subprotocol not acceptable; speak ${PROTOCOL}`);
      return;
    }
    const ip = clientAddress(request, isTrusted);
    const authenticate: ConnectionDeps['authenticate'] = async (authorization) => {
      try {
        return seenFrom(await deps.authenticate(authorization), ip);
      } catch (error) {
        if (toProblem(error).status < 500) rateGuard.failed(ip);
        throw error;
      }
    };
    connections.set(socket, createConnection(socket, { ...connectionDeps, authenticate }));
    answered.add(socket);
    socket.on('pong', () => answered.add(socket));
    socket.once('close', () => connections.delete(socket));
  });

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy());
    if ((request.url ?? '').split('?', 1)[0] !== PATH) refuseUpgrade(socket, '404 Not Found');
    else if (connections.size >= CONNECTIONS_MAX) refuseUpgrade(socket, '503 Service Unavailable');
    else if (!mayConnect(request.headers.origin, requestHost(request, isTrusted), config))
      refuseUpgrade(socket, '403 Forbidden');
    else void upgrade(request, socket, head);
  };
  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    if (await rateGuard.address(clientAddress(request, isTrusted))) refuseUpgrade(socket, '429 Too Many Requests');
    else server.handleUpgrade(request, socket, head, (opened) => server.emit('connection', opened, request));
  };
  app.server.on('upgrade', onUpgrade);

  const tokenTimer = setInterval(() => {
    for (const connection of connections.values()) connection.checkToken().catch(onError);
  }, TOKEN_CHECK_MS);
  const pingTimer = setInterval(() => {
    for (const socket of connections.keys()) {
      if (!answered.delete(socket)) socket.terminate();
      else socket.ping();
    }
  }, PING_MS);
  tokenTimer.unref();
  pingTimer.unref();

  app.addHook('preClose', async () => {
    clearInterval(tokenTimer);
    clearInterval(pingTimer);
    for (const [socket, connection] of connections) {
      connection.close();
      // Whoever does not answer the close would hold up the stop.
      setTimeout(() => socket.terminate(), 500).unref();
    }
    server.close();
  });
};
