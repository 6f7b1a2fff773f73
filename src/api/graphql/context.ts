import type { FastifyRequest } from 'fastify';
import type { Action } from '../../domain/access/actions.ts';
import { DomainError } from '../../domain/errors.ts';
import { type Cut, resolveAsOf } from '../../projections/as-of/cut.ts';
import { authorize, type Resource } from '../auth/authorize.ts';
import type { Principal } from '../auth/principal.ts';
import type { ApiDeps } from '../deps.ts';
import { createLoaders, type Loaders } from './loaders.ts';
import { createPastReads } from './past-reads.ts';
import { createReads, type Reads } from './reads.ts';

/** When something is seen, with all that reads it as it was then. */
export type Moment = {
  /** Null for now. */
  readonly cut: Cut | null;
  readonly reads: Reads;
  readonly loaders: Loaders;
  /** Organization ids by application id, of all that the operation has come by: what lies below an application asks for it. */
  readonly owners: Map<string, string>;
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
  /** What was refused to whom, by what it was. */
  readonly refused: Map<string, { readonly principal: Principal; readonly error: unknown }>;
  /** The same, or a moment of the past. Throws InvalidAsOf. */
  readonly momentOf: (asOf: string | null | undefined) => Promise<Moment>;
};

/** A record and when it is seen, which all below it inherits. */
export type Seen<R> = R & { readonly moment: Moment };

/** The instant by which what waits and what is due are told apart: that of the cut, or of the operation. */
export const instantOf = ({ moment: { cut } }: { readonly moment: Moment }, at: Date): Date => cut?.instant ?? at;

export const see = <R extends object>(moment: Moment, record: R): Seen<R> => {
  if ('applicationId' in record && 'organizationId' in record)
    moment.owners.set(String(record.applicationId), String(record.organizationId));
  return { ...record, moment };
};

export const createContext = (deps: ApiDeps, request: FastifyRequest): Context => {
  const at = deps.now();
  const owners = new Map<string, string>();
  const fresh = (): Moment => {
    const reads = createReads(deps, deps.now());
    return { cut: null, reads, loaders: createLoaders(deps, reads, null), owners };
  };
  const now = fresh();
  const pastMoment = async (asOf: string): Promise<Moment> => {
    const past = { db: deps.pool, reader: deps.reader, cut: await resolveAsOf(deps.instancePool, asOf) };
    const reads = createPastReads(deps, past);
    return { cut: past.cut, reads, loaders: createLoaders(deps, reads, past.cut), owners };
  };
  /** Fields of one moment share what they read. */
  const moments = new Map<string, Promise<Moment>>();
  return {
    request,
    deps,
    at,
    now,
    fresh,
    refused: new Map(),
    momentOf: async (asOf) => {
      if (asOf === null || asOf === undefined) return now;
      const found = moments.get(asOf) ?? pastMoment(asOf);
      moments.set(asOf, found);
      return found;
    },
  };
};

/** What a field is about. */
type Place = Pick<Resource, 'organizationId' | 'applicationId' | 'subscriptionId'>;

/**
 * Has the field refused unless whoever asks may do this. What was refused once is refused again for each object of a list, and
 * recorded once for the operation.
 */
export const allow = ({ request, now, refused }: Context, action: Action, place: Place): void => {
  const { applicationId, organizationId = now.owners.get(applicationId ?? ''), subscriptionId } = place;
  const { principal } = request;
  const key = `${action} ${organizationId} ${applicationId} ${subscriptionId}`;
  const before = refused.get(key);
  if (before?.principal === principal) throw before.error;
  try {
    authorize(principal, action, { ...place, organizationId });
  } catch (error) {
    refused.set(key, { principal, error });
    throw error;
  }
};

/** Null in place of NotFound: where the schema says that null means both unknown and somebody else's. */
export const orNone = async <T>(find: () => T | Promise<T>): Promise<T | null> => {
  try {
    return await find();
  } catch (error) {
    if (error instanceof DomainError && error.id === 'NotFound') return null;
    throw error;
  }
};
