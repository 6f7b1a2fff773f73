import { pageNames, router, titleOf } from '../router.svelte.ts';
import { preferences } from '../state/preferences.svelte.ts';
import { session } from '../state/session.svelte.ts';
import { workspace } from '../state/workspace.svelte.ts';
import { isOffered } from './offered.ts';

export type Command = { readonly name: string; readonly keys?: string; readonly run: () => void };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Letters after `g`, by page. */
export const JUMPS: Readonly<Record<string, string>> = {
  o: 'overview',
  d: 'deliveries',
  x: 'deadLetters',
  s: 'subscriptions',
  t: 'eventTypes',
  e: 'events',
  n: 'sendEvent',
  r: 'replay',
  a: 'audit',
  m: 'members',
  k: 'serviceTokens',
  u: 'quotas',
};

const keyOf = (page: string): string | undefined => {
  const [key] = Object.entries(JUMPS).find(([, name]) => name === page) ?? [];
  return key && `g ${key}`;
};

const pageCommands = (): Command[] =>
  pageNames.filter(isOffered).map((page) => ({
    name: `Go to ${titleOf(page)}`,
    ...(keyOf(page) ? { keys: keyOf(page) as string } : {}),
    run: () => router.go(router.href(page)),
  }));

const settings = (): Command[] => [
  { name: 'Use the light theme', run: () => preferences.setTheme('light') },
  { name: 'Use the dark theme', run: () => preferences.setTheme('dark') },
  { name: "Use the system's theme", run: () => preferences.setTheme('system') },
  { name: 'Show instants in UTC', run: () => preferences.setZone('utc') },
  { name: 'Show instants in local time', run: () => preferences.setZone('local') },
  { name: 'Sign out', run: () => void session.signOut() },
];

const switches = (): Command[] =>
  workspace.applications.map(({ id, name, organization }) => ({
    name: `Switch to ${name} (${organization.name})`,
    run: () => router.go(`/${id}/overview`),
  }));

/** An id that was pasted is looked for as what it may be. */
const lookups = (typed: string): Command[] =>
  UUID.test(typed)
    ? [
        { name: `Open event ${typed}`, run: () => router.go(router.href('event', { event: typed })) },
        { name: `Open delivery ${typed}`, run: () => router.go(router.href('delivery', { delivery: typed })) },
      ]
    : [];

/** What the palette offers for what was typed, the best first. */
export const commandsFor = (typed: string): Command[] => {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const all = [...lookups(typed.trim()), ...pageCommands(), ...switches(), ...settings()];
  return all.filter(({ name }) => {
    const text = name.toLowerCase();
    return typed.trim() === '' || UUID.test(typed.trim()) ? true : words.every((word) => text.includes(word));
  });
};
