import { notFound } from '../../domain/refusals.ts';
import type { ApplicationFilter } from '../../projections/configuration/lists.ts';
import type { ApplicationRecord, OrganizationRecord } from '../../projections/configuration/queries.ts';
import { organizationsOf } from '../auth/principal.ts';
import { applicationIdOf } from '../scope.ts';
import { connect, type PageArgs, pageOf } from './connection.ts';
import { allow, type Context, type Moment, orNone, type Seen, see } from './context.ts';
import type { Fields } from './schema.ts';

type AsOf = { readonly asOf?: string | null };

/** The secret of an application shows that application alone, others those of organizations that are open to them. */
const visibleApplications = (
  { request: { principal } }: Context,
  organizationId: string | undefined,
): ApplicationFilter => {
  if (principal.kind === 'application_secret') return { organizationId, applicationIds: [principal.applicationId] };
  if (organizationId !== undefined || principal.kind === 'master') return { organizationId };
  return { organizationIds: organizationsOf(principal) as readonly string[] };
};

const applicationsOf = async (context: Context, moment: Moment, organizationId: string | undefined, args: PageArgs) => {
  for (const of of organizationId === undefined ? organizationsListed(context) : [organizationId])
    allow(context, 'application:list', { organizationId: of });
  const filter = visibleApplications(context, organizationId);
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
  const found = await moment.loaders.application(applicationId);
  if (!found) throw notFound('application', applicationId);
  allow(context, 'application:get', { applicationId, organizationId: found.organizationId });
  return see(moment, found);
};

/** Every one of them is asked for, so that a token that was restricted to one does not list them all. */
const organizationsListed = ({ request: { principal } }: Context): readonly string[] => {
  const visible = organizationsOf(principal);
  return visible === 'all' ? [] : visible;
};

export const organizationFields: Fields = {
  Query: {
    organizations: async (_root: unknown, { asOf, ...args }: PageArgs & AsOf, context: Context) => {
      const { principal } = context.request;
      allow(context, 'organization:list', {});
      const moment = await context.momentOf(asOf);
      const visible = organizationsOf(principal);
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
