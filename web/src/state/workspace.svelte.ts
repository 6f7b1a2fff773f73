import type { Failure } from '../api/failure.ts';
import { send } from '../graphql/client.svelte.ts';
import { graphql, type ResultOf } from '../graphql/graphql.ts';
import { router } from '../router.svelte.ts';
import { uuidOf } from '../ui/uuid.ts';
import { type Place, rights } from './rights.svelte.ts';

const WORKSPACE = graphql(`
  query Workspace {
    viewer { kind actor user { id email firstName lastName } application { organization { id } } }
    instance { version }
  }
`);
const ORGANIZATIONS = graphql(`
  query OrganizationsSeen {
    organizations(first: 100) { nodes { id name role } }
  }
`);
const APPLICATION = graphql(`
  query ApplicationSeen($id: UUID!) {
    application(id: $id) { id name organization { id name } }
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
export type OrganizationChoice = ResultOf<typeof ORGANIZATIONS>['organizations']['nodes'][number];

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

/** Null for what a token was restricted not to list. */
const unlessForbidden = async <T>(asked: Promise<T>): Promise<T | null> => {
  try {
    return await asked;
  } catch (error) {
    if ((error as Failure).id === 'Forbidden') return null;
    throw error;
  }
};

/** The application of the address, for a token that lists none. */
const namedApplication = async (): Promise<ApplicationChoice[]> => {
  const id = uuidOf(router.route?.applicationId ?? null);
  const found = id === null ? null : await unlessForbidden(send('query', APPLICATION, { id }));
  return found?.application ? [found.application] : [];
};

/** As far as they are known from their applications. */
const organizationsOf = (applications: readonly ApplicationChoice[]): OrganizationChoice[] => [
  ...new Map(applications.map(({ organization }) => [organization.id, { ...organization, role: 'service' }])).values(),
];

/** What the token opens: who it is, and which organizations and applications it sees. */
class Workspace {
  viewer = $state.raw<Found['viewer'] | null>(null);
  version = $state('');
  organizations = $state.raw<readonly OrganizationChoice[]>([]);
  applications = $state.raw<readonly ApplicationChoice[]>([]);
  /** A token was restricted so that it cannot say which applications it opens. */
  isBlind = $state(false);
  failure = $state.raw<Failure | null>(null);
  isLoaded = $state(false);
  #turn = 0;
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

  /** What the address is about, as far as rights go; null until it is known. */
  place = $derived.by((): Place | null => {
    const named = router.route?.applicationId;
    if (named) return { applicationId: uuidOf(named), organizationId: null };
    if (!this.isLoaded) return null;
    return { applicationId: this.choices[0]?.id ?? null, organizationId: this.organization?.id ?? null };
  });

  async load(): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    try {
      const [{ viewer, instance }, organizations, listed] = await Promise.all([
        send('query', WORKSPACE, {}),
        unlessForbidden(send('query', ORGANIZATIONS, {})),
        unlessForbidden(allApplications()),
        rights.renew(),
      ]);
      const applications = listed ?? (await namedApplication());
      if (turn !== this.#turn) return; // Somebody else has signed in meanwhile.
      this.viewer = viewer;
      this.version = instance.version;
      this.organizations = organizations?.organizations.nodes ?? organizationsOf(applications);
      this.applications = applications;
      this.isBlind = listed === null;
      this.failure = null;
    } catch (error) {
      if (turn !== this.#turn) return;
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
    this.#turn += 1;
    rights.forget();
    this.viewer = null;
    this.organizations = [];
    this.applications = [];
    this.isLoaded = false;
    this.failure = null;
  }
}

export const workspace = new Workspace();
