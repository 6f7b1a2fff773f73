import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Config } from '../config/load.ts';
import { type OwnEndpoint, parseAddress } from '../domain/target/address.ts';

const POSTGRES_PORT = 5432;
const EVERY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

const ownAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((found) => (found ?? []).map(({ address }) => address));

/** As the operating system resolves it; nothing for a name that it does not know. */
const addressesOf = async (host: string): Promise<readonly string[]> => {
  if (isIP(host) !== 0) return [host];
  const found = await lookup(host, { all: true }).catch(() => []);
  return found.map(({ address }) => address);
};

const endpoints = (addresses: readonly string[], port: number, isWhole: boolean): OwnEndpoint[] =>
  addresses.flatMap((text) => {
    const address = parseAddress(text);
    return address ? [{ address, port, isWhole }] : [];
  });

/**
 * Where this process listens and where its database is, for the egress guard: no target may be either, even on a public address
 * that a firewall closes to everybody else. Asked once, at the start.
 */
export const findOwnEndpoints = async (
  { host, port }: Pick<Config, 'host' | 'port'>,
  databaseUrl: string,
): Promise<readonly OwnEndpoint[]> => {
  const database = URL.parse(databaseUrl);
  const databaseHost = database?.hostname.replace(/^\[|\]$/g, '') ?? '';
  return [
    ...endpoints(EVERY_ADDRESS.has(host) ? ownAddresses() : await addressesOf(host), port, false),
    ...(databaseHost === ''
      ? []
      : endpoints(await addressesOf(databaseHost), Number(database?.port || POSTGRES_PORT), true)),
  ];
};
