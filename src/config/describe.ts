import { type Environment, fields, givenText } from './load.ts';
import type { Variable } from './schema.ts';

export type DescribedVariable = {
  readonly variable: string;
  readonly alias: string | null;
  /** As written, secrets masked; null when there is none. */
  readonly value: string | null;
  readonly default: string | null;
  readonly origin: 'environment' | 'default' | 'data directory';
  readonly expected: string;
  readonly description: string;
};

const MASK = '***';

/** One entry per variable, for `posthorn config` and for the reference page; checks nothing. */
export const describeConfig = (env: Environment): DescribedVariable[] => {
  const embedded = !env.DATABASE_URL?.trim();
  return fields().map(([, about]) => {
    const given = givenText(about, env);
    const kept = given === undefined && about.generated === true && embedded;
    return {
      variable: about.variable,
      alias: about.alias ?? null,
      value: kept ? MASK : mask(about, given ?? about.default),
      default: about.default,
      origin: given !== undefined ? 'environment' : kept ? 'data directory' : 'default',
      expected: about.expected,
      description: about.description,
    };
  });
};

const mask = ({ secret }: Variable, text: string | null): string | null => {
  if (secret === undefined || text === null) return text;
  return secret === 'password' && URL.canParse(text) ? maskPassword(new URL(text)) : MASK;
};

/** A password may also stand in the query (`?password=`). */
const maskPassword = (url: URL): string => {
  if (url.password !== '') url.password = MASK;
  for (const name of url.searchParams.keys()) {
    if (/pass/i.test(name)) url.searchParams.set(name, MASK);
  }
  return url.href;
};
