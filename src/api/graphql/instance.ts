import { isAction } from '../../domain/access/actions.ts';
import { BUILT_IN_RECEIVER_URL } from '../../domain/target/built-in-receiver.ts';
import { readInstance } from '../../eventstore/initialise.ts';
import { listProjections } from '../../projections/maintenance.ts';
import { actorOf, type Principal } from '../auth/principal.ts';
import { type Place, rightsOf } from '../auth/rights.ts';
import { Problem } from '../problems.ts';
import { type Context, see } from './context.ts';
import type { Fields } from './schema.ts';

const ACTIONS_MAX = 100;
type Ids = { readonly organizationId?: string | null; readonly applicationId?: string | null };

/** Why a read model has stopped may quote what it could not apply, which is anybody's. */
const errorFor = ({ kind }: Principal, error: string | null): string | null =>
  error === null || kind === 'master'
    ? error
    : 'It has stopped. Whoever runs this instance finds the reason in its log.';

/** An application that is not there is no place: it is answered like one of somebody else. */
const placeOf = async ({ now }: Context, { organizationId, applicationId }: Ids): Promise<Place> => {
  if (!applicationId) return { organizationId: organizationId ?? undefined };
  const found = await now.loaders.application(applicationId);
  return found ? { organizationId: found.organizationId, applicationId } : { organizationId: undefined };
};

export const instanceFields: Fields = {
  Query: {
    viewer: (_root: unknown, _args: unknown, context: Context) => ({ principal: context.request.principal }),
    instance: () => ({}),
  },
  Viewer: {
    kind: (_viewer: unknown, _args: unknown, { request }: Context) => request.principal.kind,
    actor: (_viewer: unknown, _args: unknown, { request }: Context) => actorOf(request.principal),
    application: async (_viewer: unknown, _args: unknown, { request, now }: Context) => {
      const { principal } = request;
      if (principal.kind !== 'application_secret') return null;
      const found = await now.loaders.application(principal.applicationId);
      return found ? see(now, found) : null;
    },
    may: async (_viewer: unknown, { actions, ...given }: { actions: readonly string[] } & Ids, context: Context) => {
      if (actions.length > ACTIONS_MAX)
        throw new Problem('GraphqlValidation', `may takes ${ACTIONS_MAX} actions; ${actions.length} were given.`);
      return rightsOf(context.request.principal, actions.filter(isAction), await placeOf(context, given));
    },
  },
  Instance: {
    id: async (_instance: unknown, _args: unknown, { deps }: Context) =>
      (await readInstance(deps.instancePool)).instanceId,
    version: (_instance: unknown, _args: unknown, { deps }: Context) => deps.version,
    partitions: (_instance: unknown, _args: unknown, { deps }: Context) => deps.partitions,
    now: (_instance: unknown, _args: unknown, { at }: Context) => at,
    allowedTargetCidrs: (_instance: unknown, _args: unknown, { deps }: Context) => deps.config.allowTargetCidrs,
    builtInReceiverUrl: (_instance: unknown, _args: unknown, { deps }: Context) =>
      deps.config.builtInReceiver ? BUILT_IN_RECEIVER_URL : null,
    retrySchedule: (_instance: unknown, _args: unknown, { deps }: Context) => deps.config.retrySchedule,
    publicKeys: (_instance: unknown, _args: unknown, { deps }: Context) =>
      deps.publicKeys.map(({ id, whpk }) => ({ id, key: whpk })),
    projections: async (_instance: unknown, _args: unknown, { deps, request }: Context) =>
      (await listProjections(deps.instancePool)).map(({ name, lag, partitions }) => ({
        name,
        lag,
        error: errorFor(request.principal, partitions.find(({ error }) => error !== null)?.error ?? null),
      })),
  },
};
