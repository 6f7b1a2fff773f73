import type { Failure } from '../api/failure.ts';
import { send } from '../graphql/client.svelte.ts';
import { graphql, type ResultOf } from '../graphql/graphql.ts';
import { router } from '../router.svelte.ts';

const WORKSPACE = graphql(`
  query Workspace {
    viewer { kind actor user { id email firstName lastName } application { organization { id } } }
    instance { version }
    organizations(first: 100) { nodes { id name role } }
  }
`);
const APPLICATIONS = graphql(`
  query ApplicationsSeen($after: String) {
    applications(first: 100, after: $after) {
      nodes { id name organization { id name } }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

type Found = ResultOf<typeof WORKSPACE>;
export type ApplicationChoice = ResultOf<typeof APPLICATIONS>['applications']['nodes'][number];
export type OrganizationChoice = Found['organizations']['nodes'][number];

/** The organization that was looked at last, in this browser. */
const CHOSEN_KEY = 'posthorn.organization';
/** Pages of a hundred applications; nobody chooses among more in a list. */
const PAGES_MAX = 10;

const allApplications = async (): Promise<ApplicationChoice[]> => {
  const all: ApplicationChoice[] = [];
  let after: string | null = null;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { applications }: ResultOf<typeof APPLICATIONS> = await send('query', APPLICATIONS, { after });
    all.push(...applications.nodes);
    after = applications.pageInfo.endCursor;
    if (!applications.pageInfo.hasNextPage) break;
  }
  return all;
};

/** What the token opens: who it is, and which organizations and applications it sees. */
class Workspace {
  viewer = $state.raw<Found['viewer'] | null>(null);
  version = $state('');
  organizations = $state.raw<readonly OrganizationChoice[]>([]);
  applications = $state.raw<readonly ApplicationChoice[]>([]);
  failure = $state.raw<Failure | null>(null);
  isLoaded = $state(false);
  #remembered = $state(localStorage.getItem(CHOSEN_KEY) ?? '');

  /** The application of the address. */
  application = $derived(this.applications.find(({ id }) => id === router.route?.applicationId));
  /** The organization of the address, else the one looked at last, else the first. */
  organization = $derived.by((): OrganizationChoice | undefined => {
    const wanted = router.route?.organizationId || this.application?.organization.id;
    if (wanted) return this.organizations.find(({ id }) => id === wanted);
    return this.organizations.find(({ id }) => id === this.#remembered) ?? this.organizations[0];
  });
  /** Applications of that organization. */
  choices = $derived(this.applications.filter(({ organization }) => organization.id === this.organization?.id));

  async load(): Promise<void> {
    try {
      const [{ viewer, instance, organizations }, applications] = await Promise.all([
        send('query', WORKSPACE, {}),
        allApplications(),
      ]);
      this.viewer = viewer;
      this.version = instance.version;
      this.organizations = organizations.nodes;
      this.applications = applications;
      this.failure = null;
    } catch (error) {
      this.failure = error as Failure;
    }
    this.isLoaded = true;
  }

  /** Keeps the choice for the next visit. */
  remember(organizationId: string): void {
    this.#remembered = organizationId;
    localStorage.setItem(CHOSEN_KEY, organizationId);
  }

  /** Where somebody lands who comes to this organization without anything more in mind. */
  landingOf(organizationId: string): string {
    const first = this.applications.find(({ organization }) => organization.id === organizationId);
    return first ? `/${first.id}/overview` : `/organizations/${organizationId}/applications`;
  }

  clear(): void {
    this.viewer = null;
    this.organizations = [];
    this.applications = [];
    this.isLoaded = false;
    this.failure = null;
  }
}

export const workspace = new Workspace();
