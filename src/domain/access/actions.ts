/** What can be asked for, by what it is about: Hook0's names, and ours for what it has not. */
const VERBS = {
  /** Of people; no other token can. */
  auth: ['logout', 'change_password'],
  organization: ['list', 'create', 'get', 'edit', 'invite', 'revoke', 'edit_role', 'edit_quotas', 'delete'],
  member: ['list'],
  refusal: ['list'],
  service_token: ['list', 'create', 'get', 'edit', 'delete'],
  application: ['list', 'create', 'get', 'edit', 'delete'],
  application_secret: ['list', 'create', 'edit', 'delete'],
  event_type: ['list', 'create', 'get', 'edit', 'delete'],
  subscription: ['list', 'create', 'get', 'edit', 'delete'],
  event: ['list', 'get', 'ingest', 'replay', 'erase'],
  delivery: ['list', 'get', 'retry', 'replay', 'cancel'],
  dead_letter: ['list', 'replay'],
  domain_event: ['list'],
  request_attempt: ['list', 'get'],
  response: ['get'],
  events_per_day: ['application', 'organization'],
} as const;

type Verbs = typeof VERBS;
export type Action = { [Subject in keyof Verbs]: `${Subject}:${Verbs[Subject][number]}` }[keyof Verbs];

/** Every action there is, as `<what>:<verb>`. */
export const ACTIONS: readonly Action[] = Object.entries(VERBS).flatMap(([subject, verbs]) =>
  verbs.map((verb) => `${subject}:${verb}` as Action),
);

export const isAction = (text: string): text is Action => ACTIONS.some((action) => action === text);

/**
 * What shows or makes a credential, or lets somebody in: its restrictions would not hold for that, so that a restricted token could
 * rid itself of them.
 */
export const OUTLASTING: ReadonlySet<string> = new Set<Action>([
  'organization:invite',
  'organization:edit_role',
  'service_token:list',
  'service_token:create',
  'service_token:get',
  'service_token:edit',
  'application_secret:list',
  'application_secret:create',
  'application_secret:edit',
]);

/** How many characters have to be put in, taken out or replaced to get from one text to the other (Levenshtein's distance). */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [at, character] of [...from].entries()) {
    const next = [at + 1];
    for (let index = 1; index <= to.length; index += 1) {
      const replaced = (row[index - 1] ?? 0) + (character === to[index - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[index] ?? 0) + 1, (next[index - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
};

/** Whoever leaves out what it is about has made one mistake. */
const mistakes = (asked: string, action: string): number =>
  Math.min(distance(asked, action), 1 + distance(asked, action.slice(action.indexOf(':') + 1)));

/** Longer ones are no slip of the pen, and comparing takes time by their length. */
const COMPARED_CHARACTERS_MAX = 60;

/** Undefined for an action; for anything else what to say of it, with the action that it was most likely meant to be. */
export const whyNoAction = (text: string): string | undefined => {
  if (isAction(text)) return undefined;
  const asked = text.slice(0, COMPARED_CHARACTERS_MAX);
  const nearest = ACTIONS.toSorted((a, b) => mistakes(asked, a) - mistakes(asked, b))[0];
  return `${JSON.stringify(asked)} is no action; the nearest is ${nearest}. docs/tokens.md lists them.`;
};
