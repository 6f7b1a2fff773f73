import { type PageName, router, subjectOfPage } from '../router.svelte.ts';
import { type Action, may } from '../state/may.ts';
import { rights } from '../state/rights.svelte.ts';
import { workspace } from '../state/workspace.svelte.ts';

/** Pages of a single thing, and those that nobody who is signed in looks for. */
const NEEDS_MORE: readonly PageName[] = ['event', 'delivery', 'subscription', 'eventType', 'serviceToken'];
/** What a page asks for: all of it. */
const FOR: Readonly<Partial<Record<PageName, readonly Action[]>>> = {
  overview: ['application:get', 'subscription:get'],
  deliveries: ['request_attempt:list'],
  delivery: ['delivery:get', 'subscription:get', 'response:get'],
  events: ['event:list', 'delivery:list'],
  event: ['event:get', 'delivery:list', 'subscription:get'],
  deadLetters: ['dead_letter:list', 'subscription:get'],
  subscriptions: ['subscription:list'],
  subscription: ['subscription:get'],
  subscriptionNew: ['subscription:create'],
  eventTypes: ['event_type:list', 'event_type:get', 'subscription:list'],
  eventType: ['event_type:get', 'subscription:list'],
  sendEvent: ['event:ingest', 'event_type:list'],
  secrets: ['application_secret:list'],
  replay: ['event:replay', 'event:list', 'subscription:get'],
  audit: ['application:get'],
  start: ['subscription:create', 'subscription:list', 'event_type:list', 'delivery:list'],
  usage: ['application:get'],
  settings: ['application:get'],
  applications: ['organization:get', 'application:list'],
  members: ['organization:get', 'member:list'],
  serviceTokens: ['organization:get', 'service_token:list'],
  serviceToken: ['service_token:get'],
  tokenCheck: ['service_token:list'],
  quotas: ['organization:get'],
  refusals: ['refusal:list'],
  organizationSettings: ['organization:get', 'application:list'],
  organizationNew: ['organization:create'],
};
/** About all organizations, for whoever runs the instance. */
const OF_THE_INSTANCE: readonly PageName[] = ['instanceRefusals', 'retention'];
/** Of the past these say why they have nothing to offer. */
const EXPLAINS_PAST: readonly PageName[] = ['sendEvent', 'replay', 'start'];

/** What the page asks for that may not be done here, now or in the past. */
export const missingFor = (page: PageName): readonly Action[] =>
  (FOR[page] ?? []).filter((action) => !rights.here.includes(action));

/** Whether the page can be gone to from here, and has anything for who looks. */
export const isOffered = (page: PageName): boolean => {
  if (NEEDS_MORE.includes(page)) return false;
  switch (subjectOfPage(page)) {
    case 'nobody':
      return false;
    case 'application':
      if (!router.route?.applicationId && !router.home.applicationId) return false;
      break;
    case 'organization':
      if (!workspace.organization) return false;
      break;
    case 'person':
      if (page === 'account' && !workspace.viewer?.user) return false;
      if (OF_THE_INSTANCE.includes(page) && workspace.viewer?.kind !== 'master') return false;
  }
  if (missingFor(page).length > 0) return false;
  return (FOR[page] ?? []).every(may) || EXPLAINS_PAST.includes(page);
};
