import type { FailureReason } from '../../domain/delivery/events.ts';

/**
 * A connection that was not made because of the target. The text names no address and no cause from the resolver: it is
 * shown to tenants, who must not learn from it what exists inside our network.
 */
export class EgressError extends Error {
  /** Not one of undici's own: on `UND_ERR_SOCKET` or `UND_ERR_INFO` it would connect again, for ever. */
  readonly code = 'EGRESS';
  readonly reason: EgressReason;

  constructor(reason: EgressReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EgressError';
    this.reason = reason;
  }
}
export type EgressReason = Extract<FailureReason, 'dns' | 'connect' | 'tls' | 'blocked_target'>;

/** This machine could not try: out of descriptors, ports or memory. No attempt of a receiver's may be charged with it. */
export class LocalFault extends Error {
  readonly code: string;

  constructor(code: string, options?: ErrorOptions) {
    super(`The request could not be tried: ${code} on this machine. Raise its limits or send less at once.`, options);
    this.name = 'LocalFault';
    this.code = code;
  }
}

/** EADDRNOTAVAIL is what IPv6 switched off says of every IPv6 address; for IPv4 it means no local port is left. */
export const localFaultCode = (error: unknown, family: 4 | 6): string | undefined => {
  const code = errorCode(error);
  if (code === undefined || (code === 'EADDRNOTAVAIL' && family === 6)) return undefined;
  return LOCAL_CODES.has(code) ? code : undefined;
};

export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

const LOCAL_CODES = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL']);
