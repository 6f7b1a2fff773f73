const NAME_LENGTH_MAX = 200;
const PART = /^[A-Za-z0-9_-]{1,50}$/;

/**
 * The parts of an event type's name, or null when it is not one: two or more parts joined by dots, each 1 to 50 of
 * `A-Z a-z 0-9 _ -`, at most 200 characters in all.
 */
export const parseEventTypeName = (name: string): readonly string[] | null => {
  if (name.length > NAME_LENGTH_MAX) return null;
  const parts = name.split('.');
  return parts.length >= 2 && parts.every((part) => PART.test(part)) ? parts : null;
};

/**
 * The parts of what a subscription may list, or null: a name in which `*` may stand for exactly one part and a closing
 * `**` for one or more remaining parts. A lone `**` is every event type. A lone `*` is read as a lone `**`: no name has a
 * single part, so whoever writes it can only mean all of them.
 */
export const parseEventTypePattern = (pattern: string): readonly string[] | null => {
  if (pattern === '*' || pattern === '**') return ['**'];
  if (pattern.length > NAME_LENGTH_MAX) return null;
  const parts = pattern.split('.');
  const last = parts.length - 1;
  const isPart = (part: string, index: number) => part === '*' || (part === '**' && index === last) || PART.test(part);
  return last >= 1 && parts.every(isPart) ? parts : null;
};
