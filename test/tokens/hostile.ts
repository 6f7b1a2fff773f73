import { randomBytes } from 'node:crypto';
import { prepareEd25519Key } from '#src/domain/signature/keys.ts';
import { openEnvelope, textOfToken, writeEnvelope } from '#src/tokens/envelope.ts';
import { Biscuit, BlockBuilder, PrivateKey, PublicKey, SignatureAlgorithm } from '#src/tokens/library.ts';
import { generateSigningKey, publicKeyOfSeed, signBlock } from '#src/tokens/signing.ts';
import { field } from '#src/tokens/wire.ts';
import { append, OTHER_SEED, ROOT } from './support.ts';

/** Tokens that a holder of a valid service token can make to keep whoever verifies them busy; each with a name. */

export type Hostile = { readonly name: string; readonly token: string };

const repeat = (times: number, part: (index: number) => string, separator = ''): string =>
  Array.from({ length: times }, (_, index) => part(index)).join(separator);

const facts = (count: number): string => repeat(count, (index) => `f(${index}); `);
const join = (width: number): string => repeat(width, (index) => `f($v${index})`, ', ');

const joins = (): [string, string][] =>
  [20, 50, 100].flatMap((count) =>
    [3, 4, 5].flatMap((width): [string, string][] => [
      [`a check that joins ${width} of ${count} facts`, `${facts(count)} check if ${join(width)}, $v0 > 1000`],
      [`a rule that joins ${width} of ${count} facts`, `${facts(count)} g($v0) <- ${join(width)}, $v0 > 1000`],
    ]),
  );

/** What passes every other rule of the gate, written as Datalog. */
const datalogs: readonly (readonly [string, string])[] = [
  ...joins(),
  [
    'a closure over 200 edges',
    `${repeat(200, (index) => `e(${index},${index + 1}); `)} p($a,$b) <- e($a,$b); p($a,$c) <- p($a,$b), e($b,$c)`,
  ],
  ['a fact', 'organization_id("another")'],
  ['a rule', 'application_id($o) <- organization_id($o)'],
  ['a pattern', 'check if action($a), $a.matches("(a|a)*b")'],
  ['.any()', 'check if event_type_names($n), $n.any($x -> $x == "a")'],
  ['.all() within .all()', 'check if {1,2,3}.all($x -> {1,2,3}.all($y -> $x == $y))'],
  ['.try_or()', 'check if (1 / 0 == 1).try_or(true)'],
  ['.extern()', 'check if true.extern::sleep()'],
  ['.type()', 'check if time($t), $t.type() == "date"'],
  ['texts that grow', `check if action($a), (${repeat(40, () => '$a', ' + ')}).length() > 3`],
  ['numbers that grow', 'check if 9223372036854775807 * 2 > 1'],
  ['.union()', 'check if event_type_names($n), $n.union($n).length() > 1'],
  ['a map', 'check if labels($l), $l == {"a": {"a": {"a": 1}}}'],
  ['nested arrays', `check if ${'['.repeat(12)}1${']'.repeat(12)}.length() > 0`],
  ['check all', 'check all time($t), $t > 2020-01-01T00:00:00Z'],
  ['trusting previous', 'check if f(1) trusting previous'],
  ['trusting authority', 'check if type("x") trusting authority'],
  ['four predicates', 'check if time($a), time($b), time($c), time($d)'],
  ['eleven queries', repeat(11, () => 'check if time($t);')],
  ['eleven queries in one check', `check if ${repeat(11, () => 'time($t)', ' or ')}`],
  ['nine conditions', `check if time($t), ${repeat(9, () => '$t > 2020-01-01T00:00:00Z', ', ')}`],
  ['150 operations', `check if ${repeat(76, () => 'true', ' && ')}`],
  ['130 elements', `check if {${repeat(130, String, ',')}}.contains(1)`],
  ['a source beyond 1,024 characters', `check if action("${'a'.repeat(1_100)}")`],
  ['one symbol many times', `check if action($a), ${repeat(8, () => `$a == "${'b'.repeat(200)}"`, ', ')}`],
  ['70 symbols', `check if action($a), {${repeat(70, (index) => `"s${index}"`, ',')}}.contains($a)`],
  ['five terms', 'check if action(1, 2, 3, 4, 5)'],
  ['conditions twelve deep', `check if ${repeat(12, () => 'true && (')}true${')'.repeat(12)}`],
  ['negations sixty deep', `check if ${'!('.repeat(60)}true${')'.repeat(60)}`],
];

/** A block of bytes no library would write, signed as it should be. */
export const appendBytes = (token: string, payload: Buffer): string => {
  const { rootKeyId, blocks, proof } = openEnvelope(token);
  if (!('nextSecret' in proof)) throw new Error('The token is sealed.');
  const next = generateSigningKey();
  const previousSignature = blocks.at(-1)?.signature;
  const { raw } = signBlock(prepareEd25519Key(proof.nextSecret), {
    payload,
    nextKey: next.publicKey,
    previousSignature,
  });
  const raws = [...blocks.map((block) => block.raw), raw];
  return textOfToken(writeEnvelope(rootKeyId, raws, { nextSecret: next.seed }));
};

/** A check with one expression of these operations, in the newest version of Datalog. */
const blockOf = (operations: Buffer): Buffer => {
  const query = Buffer.concat([field(1, field(1, 27)), field(3, operations)]);
  return Buffer.concat([field(3, 6), field(6, field(1, query))]);
};

const thirdParty = (token: string): string => {
  const parent = Biscuit.fromBase64(token, ROOT);
  const external = PrivateKey.fromBytes(OTHER_SEED, SignatureAlgorithm.Ed25519);
  const builder = new BlockBuilder();
  builder.addCode('check if time($t)');
  const block = parent.getThirdPartyRequest().createBlock(external, builder);
  const key = PublicKey.fromBytes(publicKeyOfSeed(OTHER_SEED), SignatureAlgorithm.Ed25519);
  return parent.appendThirdPartyBlock(key, block).toBase64();
};

const times = (count: number, token: string, datalog: string): string => {
  let grown = token;
  for (let round = 0; round < count; round += 1) grown = append(grown, datalog);
  return grown;
};

export const hostileTokens = (service: string): Hostile[] => {
  return [
    ...datalogs.map(([name, datalog]) => ({ name, token: append(service, datalog) })),
    { name: '8 blocks appended', token: times(8, service, 'check if time($t)') },
    { name: '30 blocks appended', token: times(30, service, 'check if true') },
    { name: 'a block of a third party', token: thirdParty(service) },
    { name: 'a scope for the block', token: appendBytes(service, Buffer.concat([field(3, 5), field(7, field(1, 1))])) },
    { name: 'a context', token: appendBytes(service, Buffer.concat([field(2, Buffer.from('x')), field(3, 5)])) },
    {
      name: 'a public key',
      token: appendBytes(
        service,
        Buffer.concat([field(3, 5), field(8, Buffer.concat([field(1, 0), field(2, Buffer.alloc(32, 1))]))]),
      ),
    },
    { name: 'a closure that nothing calls', token: appendBytes(service, blockOf(closures(1))) },
    { name: 'closures 200 deep', token: appendBytes(service, blockOf(closures(200))) },
    { name: 'arrays 400 deep', token: appendBytes(service, blockOf(arrays(400))) },
    {
      name: 'a thousand checks without a query',
      token: appendBytes(service, Buffer.concat([field(3, 6), ...Array<Buffer>(700).fill(field(6, Buffer.alloc(0)))])),
    },
    {
      name: 'a thousand operators',
      token: appendBytes(service, blockOf(Buffer.concat(Array<Buffer>(350).fill(field(1, field(2, field(1, 1))))))),
    },
    { name: 'a megabyte of text', token: 'A'.repeat(1_000_000) },
    { name: 'a megabyte of bytes', token: randomBytes(750_000).toString('base64url') },
    { name: 'as many random bytes as may be', token: randomBytes(3_072).toString('base64url') },
  ];
};

/** An operation that holds a closure that holds an operation ... */
const closures = (depth: number): Buffer => {
  let operation = field(1, field(6, 1));
  for (let level = 0; level < depth; level += 1) operation = field(4, field(2, operation));
  return field(1, operation);
};

const arrays = (depth: number): Buffer => {
  let term = field(2, 1);
  for (let level = 0; level < depth; level += 1) term = field(9, field(1, term));
  return field(1, field(1, term));
};

const worst = (query: string, queries: number, blocks: number) => (service: string) =>
  times(
    blocks,
    service,
    repeat(queries, () => `check if ${query};`),
  );

/** Those that the gate lets through, as near to its limits as they get. */
export const laboriousTokens = (service: string): Hostile[] => [
  {
    name: 'joins of roles',
    token: worst('allowed_role($a), allowed_role($b), allowed_role($c), $a == "nobody"', 8, 2)(service),
  },
  {
    name: 'joins of organizations',
    token: worst(
      'organization_id($a), organization_id($b), organization_id($c), $a == "nobody" or true',
      4,
      4,
    )(service),
  },
  { name: 'many small queries', token: worst('time($t) or true', 5, 7)(service) },
  {
    name: 'many operations',
    token: worst(
      repeat(9, () => 'true', ' && '),
      3,
      4,
    )(service),
  },
  {
    name: 'large sets',
    token: worst(`{${repeat(120, String, ',')}} == {${repeat(3, String, ',')}} || true`, 1, 4)(service),
  },
  { name: 'prefixes of a long text', token: worst(`"${'a'.repeat(900)}".starts_with("b") || true`, 1, 1)(service) },
];
