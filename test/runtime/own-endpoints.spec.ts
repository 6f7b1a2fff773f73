import { networkInterfaces } from 'node:os';
import { expect, it, onTestFinished } from 'vitest';
import { addressRules, parseAddress, verdict } from '#src/domain/target/address.ts';
import { type Lookup, watchOwnEndpoints } from '#src/runtime/own-endpoints.ts';
import { eventually } from '#test/support/eventually.ts';

const at = (ip: string, port: number, isWhole: boolean) => ({ address: parseAddress(ip), port, isWhole });
type Options = Parameters<typeof watchOwnEndpoints>[2];
const watch = async (host: string, port: number, databaseUrl: string, options?: Options) => {
  const watched = await watchOwnEndpoints({ host, port }, databaseUrl, options);
  onTestFinished(watched.stop);
  return watched;
};
const find = async (host: string, port: number, databaseUrl: string) => (await watch(host, port, databaseUrl)).current;

it('are where the API listens and where the database is', async () => {
  expect(await find('127.0.0.1', 8080, 'postgres://u:p@198.51.100.7/posthorn')).toEqual([
    at('127.0.0.1', 8080, false),
    at('198.51.100.7', 5432, true),
  ]);
  expect(await find('::1', 1, 'postgres://u:p@[2001:db8::1]:6000/posthorn')).toEqual([
    at('::1', 1, false),
    at('2001:db8::1', 6000, true),
  ]);
  expect(await find('127.0.0.1', 8080, 'postgres://localhost:6000/posthorn')).toContainEqual(
    at('127.0.0.1', 6000, true),
  );
  expect(await find('127.0.0.1', 1, 'postgres:///posthorn?host=198.51.100.8&port=6001')).toContainEqual(
    at('198.51.100.8', 6001, true),
  );
  expect(await find('127.0.0.1', 1, 'postgres:///posthorn?host=/run/postgresql')).toEqual([at('127.0.0.1', 1, false)]);
});

it('are all addresses of this machine when the API listens on all of them', async () => {
  const own = Object.values(networkInterfaces()).flatMap((found) => (found ?? []).map(({ address }) => address));
  for (const host of ['0.0.0.0', '::'])
    expect(await find(host, 8080, 'postgres:///posthorn')).toEqual(own.map((ip) => at(ip, 8080, false)));
});

it('are none for names that nobody knows', async () => {
  expect(await find('127.0.0.1', 1, 'postgres://nowhere.invalid/posthorn')).toEqual([at('127.0.0.1', 1, false)]);
});

it('follow a name that moves, and forget where it was after an hour, but not while nobody can say', async () => {
  let nowMs = 0;
  const [before, after] = ['9.9.9.9', '149.112.112.112'];
  let answer: Lookup = async () => [before];
  const options = { find: (host: string) => answer(host), nowMs: () => nowMs };
  const { current, look } = await watch('127.0.0.1', 1, 'postgres://db.example/posthorn', options);
  const rules = addressRules({ ownEndpoints: current });
  const denied = () => [before, after].filter((ip) => !verdict(ip, rules).allowed);
  expect(denied()).toEqual([before]);
  nowMs = 1_000;
  answer = async () => [after];
  await look();
  expect(denied()).toEqual([before, after]);
  nowMs = 7_200_000;
  answer = () => Promise.reject(new Error('SERVFAIL'));
  await look();
  expect(denied()).toEqual([before, after]);
  answer = async () => [after];
  await look();
  expect(denied()).toEqual([after]);
});

it('are looked up again by themselves, and hold a bounded number of addresses', async () => {
  let looks = 0;
  const many: Lookup = async () => {
    looks += 1;
    return Array.from({ length: 100 }, (_, index) => `203.0.${looks}.${index}`);
  };
  const { current } = await watch('127.0.0.1', 1, 'postgres://db.example/posthorn', { find: many, everyMs: 1 });
  await eventually(() => expect(looks).toBeGreaterThan(5));
  expect(current.length).toBeLessThanOrEqual(201);
});
