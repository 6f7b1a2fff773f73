import { headerOption, shellQuoted } from '../../ui/shell.ts';
import type { Attempt } from './queries.ts';

/**
 * The request as a command. Secrets are placeholders: signatures and the values of custom headers are the receiver's matter,
 * and a signature is only good for its instant.
 */
export const toCurl = (request: NonNullable<Attempt['request']>, payload: string | null): string => {
  const headers =
    typeof request.headers === 'object' && request.headers !== null ? Object.entries(request.headers) : [];
  return [
    `curl -X ${request.method} ${shellQuoted(request.url)}`,
    ...headers.map(([name, value]) => headerOption(name, value === null ? `<value of ${name}>` : String(value))),
    headerOption('webhook-timestamp', '<seconds since 1970>'),
    headerOption('webhook-signature', '<signature>'),
    payload === null ? '--data-binary @payload' : `--data-binary ${shellQuoted(payload)}`,
  ].join(' \\\n  ');
};
