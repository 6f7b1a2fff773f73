import { parseArgs } from 'node:util';
import { parseDuration } from '../config/values.ts';
import type { Inspection } from '../tokens/inspect.ts';
import { instantOf } from './audit-places.ts';
import { type Command, type CommandContext, EXIT, UsageError } from './command.ts';
import { table } from './table.ts';

/** The library of tokens is some megabytes: commands that need none do not load it. */

const TOKEN_FROM = `TOKEN is read from standard input when it is - or left out, so that it need not stand in the shell's history. No database is
opened, no configuration is read, and nothing is sent anywhere.`;

export const tokenInspectCommand: Command = {
  name: 'token inspect',
  summary: 'Show what a token says, how it is restricted, and whether it would be let in.',
  usage: `posthorn token inspect [TOKEN|-] [--json]

Prints every block of a Biscuit as Datalog, with the revocation ids, the number of the root key and the size, and whether the
gate would let it through. The signature is NOT checked: that takes the root key.

${TOKEN_FROM}

  --json    the same as JSON

Exit code 0 when the gate would let the token through, 1 when not.`,
  run: async (context) => {
    const { values, positionals } = parseArgs({
      args: [...context.args],
      options: { json: { type: 'boolean' } },
      allowPositionals: true,
    });
    const token = await readToken(context, positionals);
    const { inspect } = await import('../tokens/inspect.ts');
    const inspection = inspect(token);
    context.out(values.json ? JSON.stringify(documentOf(inspection), null, 2) : textOf(inspection));
    return inspection.gate.passes ? EXIT.done : EXIT.failed;
  },
};

const OPTIONS = {
  application: { type: 'string' },
  action: { type: 'string', multiple: true },
  subscription: { type: 'string', multiple: true },
  'event-type': { type: 'string', multiple: true },
  label: { type: 'string', multiple: true },
  expires: { type: 'string' },
  check: { type: 'string', multiple: true },
} as const;

export const tokenAttenuateCommand: Command = {
  name: 'token attenuate',
  summary: 'Make a token that can do less, without asking anybody.',
  usage: `posthorn token attenuate [TOKEN|-] [--application ID] [--action A]... [--subscription ID]... [--event-type T]...
                          [--label KEY=VALUE]... [--expires 30d|INSTANT] [--check DATALOG]...

Appends a block of restrictions to a service token and prints the new token, alone. The new one does only what every restriction
allows; it is revoked together with the one it was made of.

${TOKEN_FROM}

  --application ID    only what is about this application; refuses the actions of the organization, too
  --action A          only this action, such as event:ingest; may be given several times, for any of them
  --subscription ID   only this subscription; several times for any of them
  --event-type T      only requests about this event type; several times for any of them. Refuses requests about none
  --label KEY=VALUE   only requests with this label; several times for all of them
  --expires WHEN      a time from now (15m, 12h, 30d) or an instant with its zone (2027-01-01T00:00:00Z)
  --check DATALOG     any check, such as 'check if allowed_role("viewer")'; several times for all of them

docs/tokens.md lists the actions, the facts that checks can ask for, and the limits.`,
  run: async (context) => {
    const { values, positionals } = parseArgs({ args: [...context.args], options: OPTIONS, allowPositionals: true });
    const restrictions = {
      applicationId: values.application,
      actions: values.action,
      subscriptionIds: values.subscription,
      eventTypes: values['event-type'],
      labels: values.label && Object.fromEntries(values.label.map(labelOf)),
      expiresAt: values.expires === undefined ? undefined : expiryOf(values.expires),
      datalog: values.check?.join(';\n'),
    };
    if (Object.values(restrictions).every((value) => value === undefined))
      throw new UsageError('Give at least one restriction; see `posthorn token attenuate --help`.');
    const token = await readToken(context, positionals);
    const { attenuate } = await import('../tokens/attenuate.ts');
    context.out(attenuate(token, restrictions));
    return EXIT.done;
  },
};

/** More is no token that anything could be done with. */
const INPUT_BYTES_MAX = 131_072;

const readToken = async (
  { stdin = process.stdin }: CommandContext,
  positionals: readonly string[],
): Promise<string> => {
  const [word = '-', ...others] = positionals;
  if (others.length > 0) throw new UsageError(`One token at a time; ${others.length} words are too many.`);
  if (word !== '-') return word;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    chunks.push(Buffer.from(chunk));
    bytes += chunk.length;
    if (bytes > INPUT_BYTES_MAX) throw new UsageError('Standard input is too long for a token.');
  }
  const token = Buffer.concat(chunks).toString().trim();
  if (token === '') throw new UsageError('No token is given, neither as a word nor on standard input.');
  return token;
};

const labelOf = (text: string): [string, string] => {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (key === undefined || value === undefined) throw new UsageError(`--label takes KEY=VALUE, not ${text}.`);
  return [key, value];
};

const expiryOf = (text: string): Date => {
  const ms = parseDuration(text);
  return ms === undefined ? new Date(instantOf('--expires', text)) : new Date(Date.now() + ms);
};

const documentOf = ({ gate, ...inspection }: Inspection) => ({
  is_signature_checked: inspection.isSignatureChecked,
  kind: inspection.kind ?? null,
  root_key_id: inspection.rootKeyId ?? null,
  characters: inspection.characters,
  bytes: inspection.bytes,
  is_sealed: inspection.isSealed,
  gate: gate.passes ? { passes: true } : gate,
  blocks: inspection.blocks.map(({ revocationId, bytes, isThirdParty, source }) => ({
    revocation_id: revocationId,
    bytes,
    is_third_party: isThirdParty,
    source: source ?? null,
  })),
});

/** A token may hold any text; one that moves the cursor or hides itself is shown for what it is. */
const visible = (text: string): string =>
  text.replace(/[^\P{C}\n]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);

const textOf = ({ kind, rootKeyId, characters, bytes, isSealed, gate, blocks }: Inspection): string =>
  [
    table([
      ['kind', kind ?? 'none of Posthorn'],
      ['root key', `${rootKeyId ?? 'not named'}; the signature is not checked here`],
      ['size', `${characters} characters, ${bytes} bytes, ${blocks.length} blocks`],
      ['sealed', isSealed ? 'yes: nothing can be appended' : 'no: it can be attenuated'],
      ['gate', gate.passes ? 'lets it through' : visible(gate.why)],
    ]),
    ...blocks.map(({ revocationId, bytes: size, isThirdParty, source }, index) =>
      [
        `block ${index}: ${index === 0 ? 'authority' : 'appended'}${isThirdParty ? ' by a third party' : ''}, ${size} bytes`,
        `revocation id ${revocationId}`,
        ...visible(source ?? '(cannot be shown)')
          .split('\n')
          .map((line) => `  ${line}`.trimEnd()),
      ].join('\n'),
    ),
  ].join('\n\n');
