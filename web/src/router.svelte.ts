import type { Component } from 'svelte';

/** Every page: its path below an application, its name, and the file it comes from, loaded when it is first seen. */
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
} satisfies Record<string, { path: string; title: string; load: () => Promise<{ default: Component }> }>;

export type PageName = keyof typeof pages;
export const pageNames = Object.keys(pages) as PageName[];

export type Route = {
  readonly page: PageName;
  readonly applicationId: string;
  /** What the path names, by the names in the page's path. */
  readonly params: Readonly<Record<string, string>>;
};

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

const routeOf = (pathname: string): Route | undefined => {
  const [applicationId, ...path] = pathname.split('/').filter(Boolean);
  if (applicationId === undefined) return undefined;
  for (const page of pageNames) {
    const params = matchPath(pages[page].path, path);
    if (params) return { page, applicationId, params };
  }
  return undefined;
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

class Router {
  #url = $state.raw(new URL(location.href));
  route = $derived(routeOf(this.#url.pathname));
  pathname = $derived(this.#url.pathname);
  search = $derived(this.#url.searchParams);
  /** The moment of the past that everything is seen at; null for now. */
  asOf = $derived(this.#url.searchParams.get('asOf'));

  constructor() {
    addEventListener('popstate', () => this.#read());
  }

  #read(): void {
    this.#url = new URL(location.href);
  }

  /** The address of a page of the application at hand. */
  href(
    page: PageName,
    params: Readonly<Record<string, string>> = {},
    search: Readonly<Record<string, string>> = {},
  ): string {
    const path = pages[page].path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
    const query = new URLSearchParams(search);
    for (const name of KEPT) {
      const value = this.search.get(name);
      if (value !== null && !query.has(name)) query.set(name, value);
    }
    const text = query.toString();
    return `/${this.route?.applicationId ?? ''}/${path}${text === '' ? '' : `?${text}`}`;
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
