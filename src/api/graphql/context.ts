import type { FastifyRequest } from 'fastify';
import { DomainError } from '../../domain/errors.ts';
import type { Cut } from '../../projections/as-of/cut.ts';
import { type Action, authorize, type Resource } from '../auth/authorize.ts';
import type { ApiDeps } from '../deps.ts';
import { createLoaders, type Loaders } from './loaders.ts';
import { missing } from './missing.ts';
import { createReads, type Reads } from './reads.ts';

/** When something is seen, with all that reads it as it was then. */
export type Moment = {
  /** Null for now. */
  readonly cut: Cut | null;
  readonly reads: Reads;
  readonly loaders: Loaders;
};

/** What every resolver of one operation shares. */
export type Context = {
  readonly request: FastifyRequest;
  readonly deps: ApiDeps;
  /** The instant at which the operation began: what waits and what is due are told by it. */
  readonly at: Date;
  readonly now: Moment;
  /** Now, with nothing remembered of what was read before: for what a command has just changed. */
  readonly fresh: () => Moment;
  /** The same, or a moment of the past. */
  readonly momentOf: (asOf: string | null | undefined) => Moment | Promise<Moment>;
};

/** A record and when it is seen, which all below it inherits. */
export type Seen<R> = R & { readonly moment: Moment };

export const see = <R extends object>(moment: Moment, record: R): Seen<R> => ({ ...record, moment });

export const createContext = (deps: ApiDeps, request: FastifyRequest): Context => {
  const at = deps.now();
  const fresh = (): Moment => {
    const reads = createReads(deps, deps.now());
    return { cut: null, reads, loaders: createLoaders(deps, reads, null) };
  };
  const now = fresh();
  return {
    request,
    deps,
    at,
    now,
    fresh,
    momentOf: (asOf) => {
      if (asOf === null || asOf === undefined) return now;
      throw missing('asOf');
    },
  };
};

/** Has the operation refused unless whoever asks may do this. */
export const allow = ({ request }: Context, action: Action, resource: Resource): void =>
  authorize(request.principal, action, resource);

/** Null in place of NotFound: where the schema says that null means both unknown and somebody else's. */
export const orNone = async <T>(find: () => T | Promise<T>): Promise<T | null> => {
  try {
    return await find();
  } catch (error) {
    if (error instanceof DomainError && error.id === 'NotFound') return null;
    throw error;
  }
};
