import { networkInterfaces } from 'node:os';
import { expect, it } from 'vitest';
import { parseAddress } from '#src/domain/target/address.ts';
import { findOwnEndpoints } from '#src/runtime/own-endpoints.ts';

const at = (ip: string, port: number, isWhole: boolean) => ({ address: parseAddress(ip), port, isWhole });

it('are where the API listens and where the database is', async () => {
  expect(await findOwnEndpoints({ host: '127.0.0.1', port: 8080 }, 'postgres://u:p@198.51.100.7/posthorn')).toEqual([
    at('127.0.0.1', 8080, false),
    at('198.51.100.7', 5432, true),
  ]);
  expect(await findOwnEndpoints({ host: '::1', port: 1 }, 'postgres://u:p@[2001:db8::1]:6000/posthorn')).toEqual([
    at('::1', 1, false),
    at('2001:db8::1', 6000, true),
  ]);
  expect(
    await findOwnEndpoints({ host: '127.0.0.1', port: 8080 }, 'postgres://localhost:6000/posthorn'),
  ).toContainEqual(at('127.0.0.1', 6000, true));
});

it('are all addresses of this machine when the API listens on all of them', async () => {
  const own = Object.values(networkInterfaces()).flatMap((found) => (found ?? []).map(({ address }) => address));
  for (const host of ['0.0.0.0', '::'])
    expect(await findOwnEndpoints({ host, port: 8080 }, 'postgres:///posthorn')).toEqual(
      own.map((ip) => at(ip, 8080, false)),
    );
});

it('are none for names that nobody knows', async () => {
  expect(await findOwnEndpoints({ host: '127.0.0.1', port: 1 }, 'postgres://nowhere.invalid/posthorn')).toEqual([
    at('127.0.0.1', 1, false),
  ]);
});
