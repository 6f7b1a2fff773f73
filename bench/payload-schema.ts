import { compileSchema } from '../src/payload-schema/compile.ts';

/** What matching a payload of 1 KiB against a schema costs an ingest: `node bench/payload-schema.ts`. */
const ROUNDS = 20_000;
const schema = {
  type: 'object',
  required: ['id', 'placed_at', 'lines'],
  additionalProperties: false,
  properties: {
    id: { type: 'string', format: 'uuid' },
    placed_at: { type: 'string', format: 'date-time' },
    lines: { type: 'array', minItems: 1, items: { $ref: '#/$defs/line' } },
  },
  $defs: {
    line: {
      type: 'object',
      required: ['sku', 'quantity', 'price'],
      properties: {
        sku: { type: 'string', pattern: '^[A-Z]{3}-[0-9]+$' },
        name: { type: 'string', maxLength: 100 },
        quantity: { type: 'integer', minimum: 1 },
        price: { type: 'number', exclusiveMinimum: 0 },
      },
    },
  },
};
const lines = Array.from({ length: 13 }, (_, at) => ({
  sku: `ABC-${at}`,
  name: 'A thing',
  quantity: at + 1,
  price: 9.5,
}));
const body = Buffer.from(
  JSON.stringify({ id: '00000000-0000-4000-8000-000000000000', placed_at: '2026-03-01T10:00:00Z', lines }),
);

const timed = (run: () => unknown): number => {
  for (let round = 0; round < ROUNDS; round += 1) run();
  const startedMs = performance.now();
  for (let round = 0; round < ROUNDS; round += 1) run();
  return ((performance.now() - startedMs) * 1_000) / ROUNDS;
};

const startedMs = performance.now();
const matches = compileSchema(schema);
const compileMs = performance.now() - startedMs;
const payload: unknown = JSON.parse(body.toString('utf8'));
const parseUs = timed(() => JSON.parse(body.toString('utf8')));
const matchUs = timed(() => matches(payload, body.length));
process.stdout.write(
  `${body.length} bytes: parsed in ${parseUs.toFixed(1)} µs, matched in ${matchUs.toFixed(1)} µs; compiled in ${compileMs.toFixed(0)} ms\n`,
);
