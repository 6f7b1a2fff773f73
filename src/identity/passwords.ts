import { DomainError } from '../domain/errors.ts';
import { COMMON_PASSWORDS } from './common-passwords.ts';

/** Whose password it is to be. */
export type PasswordOwner = { readonly email: string; readonly firstName: string; readonly lastName: string };

/** The contract's figures; bytes are a bound of our own, on what is hashed. */
export const PASSWORD_LIMITS = { charactersMin: 12, charactersMax: 100, bytesMax: 256, distinctMin: 4 } as const;

/** Fragments of a name or an address count from here on. */
const FRAGMENT_MIN = 4;
/** Characters that a password must have besides a name, and besides common words. */
const OWN_BESIDES_NAMES = 8;
const OWN_BESIDES_WORDS = 6;

/** The form that passwords are checked, hashed and compared in: composed characters, however the keyboard sent them. */
export const normalisePassword = (password: string): string => password.normalize('NFC');

/** Throws a DomainError that says what is wrong, without a character of the password in it. */
export const checkPassword = (password: string, { email, firstName, lastName }: PasswordOwner): void => {
  const text = normalisePassword(password);
  const characters = [...text];
  const { charactersMin, charactersMax, bytesMax, distinctMin } = PASSWORD_LIMITS;
  if (characters.length < charactersMin)
    throw new DomainError('PasswordTooShort', `The password needs at least ${charactersMin} characters.`);
  if (characters.length > charactersMax || Buffer.byteLength(text) > bytesMax)
    throw new DomainError(
      'PasswordTooLong',
      `The password may have ${charactersMax} characters and ${bytesMax} bytes.`,
    );
  if (new Set(characters).size < distinctMin)
    throw new DomainError(
      'PasswordNotDiverseEnough',
      `The password needs at least ${distinctMin} different characters.`,
    );
  if (isRepetition(characters))
    throw new DomainError('PasswordNotDiverseEnough', 'The password repeats one short text; add something else.');
  if (isLike(text, COMMON_PASSWORDS, OWN_BESIDES_WORDS))
    throw new DomainError('PasswordTooCommon', 'The password is one that many people choose, or almost.');
  const [localPart = '', domain = ''] = email.split('@');
  if (isLike(text, [localPart, ...wordsOf(localPart), ...wordsOf(domain)], OWN_BESIDES_NAMES))
    throw new DomainError('PasswordSimilarToEmail', 'The password is built from the mail address.');
  if (isLike(text, [firstName, lastName, ...wordsOf(firstName), ...wordsOf(lastName)], OWN_BESIDES_NAMES))
    throw new DomainError('PasswordSimilarToName', 'The password is built from the name.');
};

/** `abcabcabcabc`, and `abcabcabcabca`: all of it follows from its first half or less. */
const isRepetition = (characters: readonly string[]): boolean => {
  for (let period = 1; period <= characters.length / 2; period += 1)
    if (characters.every((character, index) => index < period || character === characters[index - period])) return true;
  return false;
};

const wordsOf = (text: string): string[] => text.split(/[^\p{L}\p{N}]+/u);

/** `1` is read as two letters, so that there are two ways to read a password. */
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  '0': 'o',
  '3': 'e',
  '4': 'a',
  '@': 'a',
  '5': 's',
  $: 's',
  '7': 't',
  '8': 'b',
  '!': 'i',
  '|': 'l',
};

const fold = (text: string, one: string): string =>
  [...text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()]
    .map((character) => (character === '1' ? one : (LOOK_ALIKES[character] ?? character)))
    .join('');

/** True when the text contains any of the fragments and has fewer than `own` characters besides all that it contains. */
const isLike = (text: string, fragments: readonly string[], own: number): boolean =>
  ['l', 'i'].some((one) => {
    const folded = fold(text, one);
    const longestFirst = [...new Set(fragments.map((fragment) => fold(fragment, one)))]
      .filter((fragment) => [...fragment].length >= FRAGMENT_MIN)
      .sort((a, b) => b.length - a.length);
    const rest = longestFirst.reduce((left, fragment) => left.replaceAll(fragment, '\0'), folded);
    return rest !== folded && [...rest.replaceAll('\0', '')].length < own;
  });
