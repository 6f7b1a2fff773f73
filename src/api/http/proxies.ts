import type { IncomingMessage } from 'node:http';
import { addressRules, verdict } from '../../domain/target/address.ts';

/** Whether a peer is one of ours, whose X-Forwarded headers are believed. */
export type IsTrusted = (address: string | undefined) => boolean;

const KNOWN_MAX = 1_000;

/** By `POSTHORN_TRUSTED_PROXIES`; asked for every request, so what was found is remembered. */
export const createIsTrusted = (cidrs: readonly string[]): IsTrusted => {
  if (cidrs.length === 0) return () => false;
  const rules = addressRules({ allowCidrs: cidrs });
  const known = new Map<string, boolean>();
  return (address) => {
    if (address === undefined) return false;
    const before = known.get(address);
    if (before !== undefined) return before;
    const judged = verdict(address, rules);
    const isTrusted = judged.allowed && judged.by === 'exception';
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(address, isTrusted);
    return isTrusted;
  };
};

/**
 * The client of a request that Fastify does not see: the nearest address, going back from ours, that is not of a trusted proxy.
 * What stands before it in X-Forwarded-For is its own word.
 */
export const clientAddress = ({ socket, headers }: IncomingMessage, isTrusted: IsTrusted): string => {
  const peer = socket.remoteAddress ?? '';
  const forwarded = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
  let client = peer;
  while (isTrusted(client)) {
    const next = forwarded.pop()?.trim();
    if (!next) break;
    client = next;
  }
  return client;
};

/** The host that a browser believes to talk to, as far as a trusted proxy may say so. */
export const requestHost = ({ socket, headers }: IncomingMessage, isTrusted: IsTrusted): string | undefined => {
  const forwarded = isTrusted(socket.remoteAddress) ? [headers['x-forwarded-host'] ?? []].flat().at(-1) : undefined;
  return forwarded?.split(',').at(-1)?.trim() ?? headers.host;
};
