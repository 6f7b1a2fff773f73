import { type PageName, router, subjectOfPage } from '../router.svelte.ts';
import { type Action, may } from '../state/may.ts';
import { workspace } from '../state/workspace.svelte.ts';

/** Pages of a single thing, and those that nobody who is signed in looks for. */
const NEEDS_MORE: readonly PageName[] = ['event', 'delivery', 'subscription', 'eventType', 'serviceToken'];
/** What a page is for, where that is more than looking. */
const FOR: Readonly<Partial<Record<PageName, Action>>> = {
  subscriptionNew: 'subscription:create',
  sendEvent: 'event:ingest',
  replay: 'event:replay',
  start: 'subscription:create',
  secrets: 'application_secret:list',
  serviceTokens: 'service_token:list',
  tokenCheck: 'service_token:list',
  organizationNew: 'organization:create',
};
/** Of the past these say why they have nothing to offer. */
const EXPLAINS_PAST: readonly PageName[] = ['sendEvent', 'replay', 'start'];

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
      if (!workspace.organization || workspace.isBlind) return false;
      break;
    case 'person':
      if (page === 'account' && !workspace.viewer?.user) return false;
  }
  const action = FOR[page];
  return action === undefined || may(action) || (router.asOf !== null && EXPLAINS_PAST.includes(page));
};
