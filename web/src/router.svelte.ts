import type { Component } from 'svelte';

/** What a page is about. */
export type Subject = 'application' | 'organization' | 'person' | 'nobody';
type Page = {
  readonly of?: Subject;
  readonly path: string;
  readonly title: string;
  readonly load: () => Promise<{ default: Component }>;
};

/**
 * Every page: its path below what it is about (an application, if nothing is said), its name, and the file it comes from, loaded
 * when it is first seen. What is `of` nobody needs no session.
 */
const pages = {
  overview: { path: 'overview', title: 'Overview', load: () => import('./pages/overview/Overview.svelte') },
  deliveries: { path: 'deliveries', title: 'Deliveries', load: () => import('./pages/deliveries/Deliveries.svelte') },
  subscriptions: {
    path: 'subscriptions',
    title: 'Subscriptions',
    load: () => import('./pages/subscriptions/Subscriptions.svelte'),
  },
  subscriptionNew: {
    path: 'subscriptions/new',
    title: 'New subscription',
    load: () => import('./pages/subscriptions/SubscriptionNew.svelte'),
  },
  subscription: {
    path: 'subscriptions/:subscription',
    title: 'Subscription',
    load: () => import('./pages/subscriptions/Subscription.svelte'),
  },
  eventTypes: {
    path: 'event-types',
    title: 'Event types',
    load: () => import('./pages/event-types/EventTypes.svelte'),
  },
  sendEvent: { path: 'send-event', title: 'Send event', load: () => import('./pages/send-event/SendEvent.svelte') },
  audit: { path: 'audit', title: 'Audit trail', load: () => import('./pages/audit/Audit.svelte') },
  start: { path: 'start', title: 'First delivery', load: () => import('./pages/start/Start.svelte') },
  delivery: { path: 'deliveries/:delivery', title: 'Delivery', load: () => import('./pages/delivery/Delivery.svelte') },
  events: { path: 'events', title: 'Events', load: () => import('./pages/events/Events.svelte') },
  event: { path: 'events/:event', title: 'Event', load: () => import('./pages/event/Event.svelte') },
  deadLetters: {
    path: 'dead-letters',
    title: 'Dead letters',
    load: () => import('./pages/dead-letters/DeadLetters.svelte'),
  },
  replay: { path: 'replay', title: 'Replay', load: () => import('./pages/replay/Replay.svelte') },
  eventType: {
    path: 'event-types/:type',
    title: 'Event type',
    load: () => import('./pages/event-type/EventType.svelte'),
  },
  secrets: { path: 'secrets', title: 'Secrets', load: () => import('./pages/secrets/Secrets.svelte') },
  usage: { path: 'usage', title: 'Usage', load: () => import('./pages/usage/ApplicationUsage.svelte') },
  settings: {
    path: 'settings',
    title: 'Application settings',
    load: () => import('./pages/settings/ApplicationSettings.svelte'),
  },
  applications: {
    of: 'organization',
    path: 'applications',
    title: 'Applications',
    load: () => import('./pages/applications/Applications.svelte'),
  },
  members: {
    of: 'organization',
    path: 'members',
    title: 'Members',
    load: () => import('./pages/members/Members.svelte'),
  },
  serviceTokens: {
    of: 'organization',
    path: 'service-tokens',
    title: 'Service tokens',
    load: () => import('./pages/service-tokens/ServiceTokens.svelte'),
  },
  serviceToken: {
    of: 'organization',
    path: 'service-tokens/:token',
    title: 'Restrict a token',
    load: () => import('./pages/service-tokens/Attenuate.svelte'),
  },
  tokenCheck: {
    of: 'organization',
    path: 'token-check',
    title: 'Look into a token',
    load: () => import('./pages/token-check/TokenCheck.svelte'),
  },
  quotas: {
    of: 'organization',
    path: 'usage',
    title: 'Usage and quotas',
    load: () => import('./pages/usage/OrganizationUsage.svelte'),
  },
  refusals: {
    of: 'organization',
    path: 'refusals',
    title: 'Refusals',
    load: () => import('./pages/oversight/Refusals.svelte'),
  },
  instanceRefusals: {
    of: 'person',
    path: 'instance/refusals',
    title: 'Refusals of the instance',
    load: () => import('./pages/oversight/InstanceRefusals.svelte'),
  },
  retention: {
    of: 'person',
    path: 'instance/retention',
    title: 'Retention',
    load: () => import('./pages/oversight/Retention.svelte'),
  },
  organizationSettings: {
    of: 'organization',
    path: 'settings',
    title: 'Organization settings',
    load: () => import('./pages/settings/OrganizationSettings.svelte'),
  },
  account: { of: 'person', path: 'account', title: 'Account', load: () => import('./pages/account/Account.svelte') },
  organizationNew: {
    of: 'person',
    path: 'new-organization',
    title: 'New organization',
    load: () => import('./pages/applications/OrganizationNew.svelte'),
  },
  register: {
    of: 'nobody',
    path: 'register',
    title: 'Register',
    load: () => import('./pages/register/Register.svelte'),
  },
  verifyEmail: {
    of: 'nobody',
    path: 'verify-email',
    title: 'Verify the address',
    load: () => import('./pages/register/VerifyEmail.svelte'),
  },
  forgotPassword: {
    of: 'nobody',
    path: 'forgot-password',
    title: 'Forgotten password',
    load: () => import('./pages/register/ForgotPassword.svelte'),
  },
  resetPassword: {
    of: 'nobody',
    path: 'reset-password',
    title: 'New password',
    load: () => import('./pages/register/ResetPassword.svelte'),
  },
} satisfies Record<string, Page>;

export type PageName = keyof typeof pages;
export const pageNames = Object.keys(pages) as PageName[];

export type Route = {
  readonly page: PageName;
  readonly subject: Subject;
  /** Empty for what is about no application. */
  readonly applicationId: string;
  /** Empty for what is about no organization, or about one of its applications. */
  readonly organizationId: string;
  /** What the path names, by the names in the page's path. */
  readonly params: Readonly<Record<string, string>>;
};

export const subjectOfPage = (page: PageName): Subject => subjectOf(pages[page]);
export const titleOf = (page: PageName): string => pages[page].title;
export const loadPage = (page: PageName): Promise<{ default: Component }> => pages[page].load();

const matchPath = (pattern: string, path: readonly string[]): Record<string, string> | undefined => {
  const parts = pattern.split('/');
  if (parts.length !== path.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const given = path[index] ?? '';
    if (part.startsWith(':')) params[part.slice(1)] = decodeURIComponent(given);
    else if (part !== given) return undefined;
  }
  return params;
};

const subjectOf = (page: Page): Subject => page.of ?? 'application';

const findRoute = (
  subject: Subject,
  path: readonly string[],
  ids: { applicationId?: string; organizationId?: string } = {},
): Route | undefined => {
  for (const page of pageNames) {
    if (subjectOf(pages[page]) !== subject) continue;
    const params = matchPath(pages[page].path, path);
    if (params) return { page, subject, applicationId: '', organizationId: '', ...ids, params };
  }
  return undefined;
};

const routeOf = (pathname: string): Route | undefined => {
  const path = pathname.split('/').filter(Boolean);
  const [first, second, ...rest] = path;
  if (first === undefined) return undefined;
  if (first === 'organizations')
    return second === undefined ? undefined : findRoute('organization', rest, { organizationId: second });
  return (
    findRoute('nobody', path) ??
    findRoute('person', path) ??
    findRoute('application', path.slice(1), { applicationId: first })
  );
};

/** Kept by every link within an application: the moment one looks at. */
const KEPT = ['asOf'];

/** Links that the browser itself has to follow. */
const isElsewhere = (link: HTMLAnchorElement): boolean =>
  link.target !== '' ||
  link.origin !== location.origin ||
  link.hasAttribute('download') ||
  link.hasAttribute('data-external') ||
  ['/docs', '/graphiql'].includes(link.pathname);

/** Whose fragment is a token or an address from a mail. It leaves the address bar before anything else happens. */
const withoutFragment = (url: URL): { url: URL; fragment: string } => {
  if (url.hash === '' || routeOf(url.pathname)?.subject !== 'nobody') return { url, fragment: '' };
  const bare = new URL(url.pathname + url.search, url.origin);
  history.replaceState(null, '', bare);
  return { url: bare, fragment: decodeURIComponent(url.hash.slice(1)) };
};

class Router {
  #first = withoutFragment(new URL(location.href));
  #url = $state.raw(this.#first.url);
  /** What came with the link of a mail; kept nowhere else. */
  fragment = $state.raw(this.#first.fragment);
  /** Where links lead from pages that are about neither. */
  home = $state.raw({ applicationId: '', organizationId: '' });
  route = $derived(routeOf(this.#url.pathname));
  pathname = $derived(this.#url.pathname);
  search = $derived(this.#url.searchParams);
  /** The moment of the past that everything is seen at; null for now. */
  asOf = $derived(this.#url.searchParams.get('asOf'));

  constructor() {
    addEventListener('popstate', () => this.#read());
  }

  #read(): void {
    const { url, fragment } = withoutFragment(new URL(location.href));
    this.#url = url;
    if (fragment !== '') this.fragment = fragment;
  }

  #base(subject: Subject): string {
    if (subject === 'application') return `/${this.route?.applicationId || this.home.applicationId}/`;
    if (subject === 'organization') return `/organizations/${this.route?.organizationId || this.home.organizationId}/`;
    return '/';
  }

  /** The address of a page, of the application or organization at hand. */
  href(
    page: PageName,
    params: Readonly<Record<string, string>> = {},
    search: Readonly<Record<string, string>> = {},
  ): string {
    const path = pages[page].path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
    const query = new URLSearchParams(search);
    for (const name of subjectOf(pages[page]) === 'application' ? KEPT : []) {
      const value = this.search.get(name);
      if (value !== null && !query.has(name)) query.set(name, value);
    }
    const text = query.toString();
    return `${this.#base(subjectOf(pages[page]))}${path}${text === '' ? '' : `?${text}`}`;
  }

  go(href: string, { replace = false }: { replace?: boolean } = {}): void {
    if (replace) history.replaceState(null, '', href);
    else history.pushState(null, '', href);
    this.#read();
    if (!replace) scrollTo(0, 0);
  }

  /** Changes the view state in the address; null takes a part of it away. */
  view(changes: Readonly<Record<string, string | null>>, { replace = true }: { replace?: boolean } = {}): void {
    const url = new URL(location.href);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === '') url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    this.go(url.pathname + url.search, { replace });
  }

  /** For the whole document: links of our own stay within the page. */
  onclick = (event: MouseEvent): void => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    const link = (event.target as Element | null)?.closest('a');
    if (!link || isElsewhere(link)) return;
    event.preventDefault();
    this.go(link.pathname + link.search + link.hash);
  };
}

export const router = new Router();
