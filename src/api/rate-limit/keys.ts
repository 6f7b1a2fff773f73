import { parseAddress } from '../../domain/target/address.ts';
import type { Principal } from '../auth/principal.ts';

/** The buckets that a principal's requests are taken from; undefined for one without that limit. */
export type RateKeys = { readonly token: string | undefined; readonly organization: string | undefined };

export const rateKeysOf = (principal: Principal): RateKeys => {
  switch (principal.kind) {
    case 'master':
      return { token: undefined, organization: undefined };
    case 'application_secret':
      return {
        token: `token:${principal.secretId}`,
        organization: `organization:${principal.organizationId}`,
      };
    case 'service_token':
      // Of all that were made of one token together: who holds it can make any number.
      return { token: `token:${principal.tokenId}`, organization: `organization:${principal.organizationId}` };
    case 'user':
      return { token: `token:${principal.sessionId}`, organization: undefined };
  }
};

/** Whoever has one IPv6 address has a network of 64 bits of them. */
const IPV6_HOST_BITS = 64n;

/** The bucket of an address. */
export const addressKey = (ip: string): string => {
  if (!ip.includes(':')) return `address:${ip}`;
  const address = parseAddress(ip);
  if (address?.family !== 6) return `address:${address?.value ?? 'unknown'}`; // A mapped IPv4 address, as a number.
  return `address:${(address.value >> IPV6_HOST_BITS).toString(16)}`;
};
