import { notFound } from '../../domain/refusals.ts';
import type { ApplicationRecord, OrganizationRecord } from '../../projections/configuration/queries.ts';
import { applicationIdOf } from '../scope.ts';
import { connect, type PageArgs, pageOf } from './connection.ts';
import { allow, type Context, type Moment, orNone, type Seen, see } from './context.ts';
import type { Fields } from './schema.ts';

type AsOf = { readonly asOf?: string | null };

/** The secret of an application shows that application alone. */
const visibleApplications = ({ request: { principal } }: Context): readonly string[] | undefined =>
  principal.kind === 'master' ? undefined : [principal.applicationId];

const applicationsOf = async (context: Context, moment: Moment, organizationId: string | undefined, args: PageArgs) => {
  allow(context, 'application:list', { organizationId });
  const filter = { organizationId, applicationIds: visibleApplications(context) };
  const page = await moment.reads.applications({ ...filter, ...pageOf(args) });
  return connect(
    page,
    (application) => see(moment, application),
    (upTo) => moment.reads.countApplications(filter, upTo),
  );
};

/** Throws NotFound. */
export const organizationSeen = async (
  context: Context,
  moment: Moment,
  organizationId: string,
): Promise<Seen<OrganizationRecord>> => {
  allow(context, 'organization:get', { organizationId });
  const found = await moment.loaders.organization(organizationId);
  if (!found) throw notFound('organization', organizationId);
  return see(moment, found);
};

/** The application that is named, or the one of the token; throws NotFound. */
export const applicationSeen = async (
  context: Context,
  moment: Moment,
  given: string | null | undefined,
): Promise<Seen<ApplicationRecord>> => {
  const applicationId = applicationIdOf(context.request.principal, given ?? undefined);
  allow(context, 'application:get', { applicationId });
  const found = await moment.loaders.application(applicationId);
  if (!found) throw notFound('application', applicationId);
  return see(moment, found);
};

export const organizationFields: Fields = {
  Query: {
    organizations: async (_root: unknown, { asOf, ...args }: PageArgs & AsOf, context: Context) => {
      const { principal } = context.request;
      allow(context, 'organization:list', {});
      const moment = await context.momentOf(asOf);
      const visible = principal.kind === 'master' ? 'all' : [principal.organizationId];
      const page = await moment.reads.organizations(visible, pageOf(args));
      return connect(
        page,
        (organization) => see(moment, organization),
        (upTo) => moment.reads.countOrganizations(visible, upTo),
      );
    },
    organization: async (_root: unknown, { id, asOf }: AsOf & { id: string }, context: Context) => {
      const moment = await context.momentOf(asOf);
      return orNone(() => organizationSeen(context, moment, id));
    },
    applications: async (
      _root: unknown,
      { organizationId, asOf, ...args }: PageArgs & AsOf & { organizationId?: string | null },
      context: Context,
    ) => applicationsOf(context, await context.momentOf(asOf), organizationId ?? undefined, args),
    application: async (_root: unknown, { id, asOf }: AsOf & { id?: string | null }, context: Context) => {
      const moment = await context.momentOf(asOf);
      return orNone(() => applicationSeen(context, moment, id));
    },
  },
  Organization: {
    id: ({ organizationId }: OrganizationRecord) => organizationId,
    applications: ({ organizationId, moment }: Seen<OrganizationRecord>, args: PageArgs, context: Context) =>
      applicationsOf(context, moment, organizationId, args),
  },
};
