import { expect, it, vi } from 'vitest';
import type { JsonSchema } from '#src/domain/event-type/events.ts';
import { createSchemaCache, type SchemaKey } from '#src/payload-schema/cache.ts';

const key = (version: number): SchemaKey => ({ applicationId: 'application', name: 'a.b', version });
const open = (bounds: { schemasMax?: number; bytesMax?: number } = {}) => {
  const load = vi.fn(async ({ version }: SchemaKey): Promise<JsonSchema> => ({ const: version }));
  return { load, schemas: createSchemaCache({ load, ...bounds }) };
};

it('compiles a version once, however many ask at a time', async () => {
  const { load, schemas } = open();
  const [first, second] = await Promise.all([schemas(key(1)), schemas(key(1))]);
  expect(second).toBe(first);
  expect((await schemas(key(2)))(2, 1)).toEqual([]);
  expect(load).toHaveBeenCalledTimes(2);
});

it.each([{ schemasMax: 2 }, { bytesMax: 25 }])('keeps no more than %o, those used last', async (bounds) => {
  const { load, schemas } = open(bounds);
  for (const version of [1, 2, 1, 3, 1]) await schemas(key(version));
  expect(load).toHaveBeenCalledTimes(3);
  await schemas(key(2));
  expect(load).toHaveBeenCalledTimes(4);
});

it('remembers no failure', async () => {
  const { load, schemas } = open();
  load.mockRejectedValueOnce(new Error('away'));
  await expect(schemas(key(1))).rejects.toThrow('away');
  await expect(schemas(key(1))).resolves.toBeTypeOf('function');
});
