import type { Biscuit, BlockBuilder as Builder } from '@biscuit-auth/biscuit-wasm';
import { whyNoAction } from '../domain/access/actions.ts';
import { prepareEd25519Key } from '../domain/signature/keys.ts';
import { withCopy } from './copy.ts';
import { openEnvelope, textOfToken, writeEnvelope } from './envelope.ts';
import { passGate } from './gate.ts';
import { BlockBuilder } from './library.ts';
import { textOfError } from './library-error.ts';
import { LIMITS } from './limits.ts';
import { TokenRefused } from './refused.ts';
import { generateSigningKey, signBlock } from './signing.ts';

/** All that are given hold at once; of a list, any one. */
export type Restrictions = {
  /** Refuses whatever is not about this application, the actions of the organization among it. */
  readonly applicationId?: string | undefined;
  readonly actions?: readonly string[] | undefined;
  readonly subscriptionIds?: readonly string[] | undefined;
  /** Refuses requests about any other event type, and those that are about none. */
  readonly eventTypes?: readonly string[] | undefined;
  /** Refuses requests without these labels. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly expiresAt?: Date | undefined;
  /** Checks in Biscuit's Datalog. */
  readonly datalog?: string | undefined;
};

/**
 * The same token, able to do less. Needs no root key and no network: the token itself carries the key that signs the next block.
 * Throws TokenRefused for a token that is sealed or that the gate would refuse (before or after), and for restrictions that say
 * nothing or cannot be read.
 */
export const attenuate = (token: string, restrictions: Restrictions): string => {
  const envelope = openEnvelope(token);
  passGate(envelope);
  const { blocks, proof, rootKeyId } = envelope;
  if (!('nextSecret' in proof)) throw new TokenRefused('sealed', 'The token is sealed; nothing can be added to it.');
  if (proof.nextSecret.length !== 32) throw new TokenRefused('malformed', 'The token is not well-formed: its key.');
  const payload = withCopy(envelope, (copy) => payloadOf(copy, restrictions));
  const next = generateSigningKey();
  const previousSignature = blocks.at(-1)?.signature;
  const { raw } = signBlock(prepareEd25519Key(proof.nextSecret), {
    payload,
    nextKey: next.publicKey,
    previousSignature,
  });
  const raws = [...blocks.map((block) => block.raw), raw];
  const attenuated = textOfToken(writeEnvelope(rootKeyId, raws, { nextSecret: next.seed }));
  passGate(openEnvelope(attenuated));
  return attenuated;
};

/** The block as the library writes it, with the symbols that the blocks before it have not named. */
const payloadOf = (copy: Biscuit, restrictions: Restrictions): Uint8Array => {
  const builder = new BlockBuilder();
  try {
    restrict(builder, restrictions);
    const extended = copy.appendBlock(builder);
    const text = extended.toBase64();
    extended.free();
    return openEnvelope(text, Number.POSITIVE_INFINITY).blocks.at(-1)?.payload ?? new Uint8Array();
  } finally {
    builder.free();
  }
};

const refuse = (why: string, cause?: unknown): TokenRefused => new TokenRefused('restriction', why, { cause });

/** A value as biscuit-wasm takes parameters. */
type Parameter = string | { readonly date: string } | { readonly set: readonly string[] };

type Statement = { readonly source: string; readonly parameters: Readonly<Record<string, Parameter>> };

const restrict = (builder: Builder, restrictions: Restrictions): void => {
  const statements = statementsOf(restrictions);
  const { datalog } = restrictions;
  if (statements.length === 0 && datalog === undefined) throw refuse('No restriction is given.');
  for (const { source, parameters } of statements) builder.addCodeWithParameters(source, parameters, {});
  if (datalog !== undefined) addDatalog(builder, datalog);
};

/** Values are parameters; no text of them is read as Datalog. */
const statementsOf = (restrictions: Restrictions): Statement[] => {
  const { applicationId, actions, subscriptionIds, eventTypes, labels = {}, expiresAt } = restrictions;
  const statements: Statement[] = [];
  const add = (source: string, parameters: Record<string, Parameter>): void => {
    statements.push({ source, parameters });
  };
  const addOneOf = (what: string, values: readonly string[] | undefined, fact: string): void => {
    if (values === undefined) return;
    if (values.length === 0) throw refuse(`The list of ${what} is empty: nothing would be allowed.`);
    add(`check if ${fact}($value), {values}.contains($value);`, { values: { set: [...new Set(values)] } });
  };
  if (applicationId !== undefined) add('check if application_id({value});', { value: applicationId });
  for (const action of actions ?? []) {
    const why = whyNoAction(action);
    if (why !== undefined) throw refuse(why);
  }
  addOneOf('actions', actions, 'action');
  addOneOf('subscriptions', subscriptionIds, 'subscription_id');
  addOneOf('event types', eventTypes, 'event_type_names');
  for (const [key, value] of Object.entries(labels))
    add('check if labels($labels), $labels.get({key}) == {value};', { key, value });
  if (expiresAt !== undefined) {
    if (Number.isNaN(expiresAt.getTime()) || expiresAt.getTime() < 0) throw refuse('The expiry is not an instant.');
    add('check if time($time), $time < {value};', { value: { date: expiresAt.toISOString() } });
  }
  return statements;
};

/** Deeper text would make the parser call itself too often. */
const BRACKETS_MAX = 2 * LIMITS.nesting;

const addDatalog = (builder: Builder, datalog: string): void => {
  if (datalog.length > LIMITS.blockSourceCharacters)
    throw refuse(`The Datalog has ${datalog.length} characters; ${LIMITS.blockSourceCharacters} are the most.`);
  let depth = 0;
  for (const character of datalog) {
    if ('([{!'.includes(character)) depth += 1;
    else if (')]};,'.includes(character)) depth = character === ';' || character === ',' ? depth : depth - 1;
    if (depth > BRACKETS_MAX) throw refuse(`The Datalog nests more than ${BRACKETS_MAX} brackets.`);
  }
  const source = /;\s*$/.test(datalog) ? datalog : `${datalog};`;
  try {
    builder.addCode(source);
  } catch (error) {
    throw refuse(`The Datalog cannot be read: ${textOfError(error)}`, error);
  }
};
