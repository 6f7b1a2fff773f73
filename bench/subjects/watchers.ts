import WebSocket from 'ws';
import { reportReady } from '../support/child.ts';

/**
 * Open subscriptions, as many as asked for: half of them the live tail of an application as dashboards show it, half with a
 * filter of their own that little passes. What arrives is counted, and read no further.
 */
const { BENCH_URL = '', BENCH_TOKEN = '', BENCH_APPLICATION = '', BENCH_WATCHERS = '200' } = process.env;
const TAIL = `subscription ($applicationId: UUID, $filter: LiveFilter) {
  events(applicationId: $applicationId, filter: $filter) {
    position leftOut isCaughtUp items { id eventType payloadBytes deliveryCount at position { text } }
  }
}`;

let received = 0;
const open = (index: number): Promise<WebSocket> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(BENCH_URL, 'graphql-transport-ws');
    const filter = index % 2 === 0 ? {} : { labels: { watcher: String(index) } };
    socket.on('error', reject);
    socket.on('open', () =>
      socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${BENCH_TOKEN}` } })),
    );
    socket.on('message', (data) => {
      received += 1;
      if (received > 2 * Number(BENCH_WATCHERS)) return;
      const message = JSON.parse(String(data)) as { type: string };
      if (message.type === 'connection_ack')
        socket.send(
          JSON.stringify({
            id: '1',
            type: 'subscribe',
            payload: { query: TAIL, variables: { applicationId: BENCH_APPLICATION, filter } },
          }),
        );
      else resolve(socket);
    });
  });

const sockets = await Promise.all(Array.from({ length: Number(BENCH_WATCHERS) }, (_, index) => open(index)));
reportReady({ watchers: sockets.length }, async () => {
  for (const socket of sockets) socket.terminate();
});
