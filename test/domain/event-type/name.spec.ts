import { describe, expect, it } from 'vitest';
import { parseEventTypeName, parseEventTypePattern } from '#src/domain/event-type/name.ts';

const fifty = 'a'.repeat(50);

describe("an event type's name", () => {
  it.each(['a.b', 'user.account.created', 'A-1.b_2', `${fifty}.${fifty}`, Array(100).fill('a').join('.')])(
    'may be %s',
    (name) => expect(parseEventTypeName(name)).toStrictEqual(name.split('.')),
  );
  it.each([
    '',
    'a',
    '.',
    'a.',
    '.a',
    'a..b',
    'a.b ',
    'a.b\n',
    'a.é',
    'a.*',
    'a.**',
    `${fifty}a.b`,
    Array(101).fill('a').join('.'),
  ])('may not be %j', (name) => expect(parseEventTypeName(name)).toBeNull());
});

describe('a pattern', () => {
  it.each(['a.b', 'a.*', '*.b', '*.*', 'a.**', 'a.*.c', '*.**'])('may be %s', (pattern) =>
    expect(parseEventTypePattern(pattern)).toStrictEqual(pattern.split('.')),
  );
  it.each(['*', '**'])('%s alone is every event type', (pattern) =>
    expect(parseEventTypePattern(pattern)).toStrictEqual(['**']),
  );
  it.each(['', 'a', 'a.b*', '**.a', 'a.**.c', 'a.***', '.*', `a.${fifty}b`, `${'*.'.repeat(100)}*`])(
    'may not be %j',
    (pattern) => expect(parseEventTypePattern(pattern)).toBeNull(),
  );
});
