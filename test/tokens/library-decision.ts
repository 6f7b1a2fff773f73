import { z } from 'zod';
import { textOfToken } from '#src/tokens/envelope.ts';
import { AuthorizerBuilder, Biscuit } from '#src/tokens/library.ts';
import type { TokenRequest } from '#src/tokens/vocabulary.ts';
import { ROOT } from './support.ts';

/** What Biscuit's library makes of a token and a request: what ours has to make of them, too. */
export type LibraryDecision =
  | { readonly kind: 'passed' | 'broken' | 'unreadable' }
  | { readonly kind: 'failed'; readonly checks: readonly string[] };

const failedLogic = z.object({
  FailedLogic: z.object({
    Unauthorized: z.object({ checks: z.array(z.object({ Block: z.object({ rule: z.string() }) })) }),
  }),
});
const execution = z.object({ Execution: z.unknown() });

/** The facts of the request by the names in docs/tokens.md, given to the library as parameters. */
const codeOf = (request: TokenRequest): [string, Record<string, unknown>] => {
  const { labels, eventTypeNames = [], allowedRoles = [] } = request;
  const facts: [string, unknown][] = [
    ['time', { date: request.now.toISOString() }],
    ['action', request.action],
    ['organization_id', request.organizationId],
    ['application_id', request.applicationId],
    ['subscription_id', request.subscriptionId],
    ['service_token_id', request.serviceTokenId],
    ...allowedRoles.map((role): [string, string] => ['allowed_role', role]),
    ['labels', labels && { map: new Map(Object.entries(labels)) }],
    ['event_type_names', eventTypeNames.length > 0 ? { set: eventTypeNames } : undefined],
  ];
  const offered = facts.filter(([, value]) => value !== undefined);
  const source = offered.map(([name], index) => `${name}({p${index}});`).join(' ');
  return [source, Object.fromEntries(offered.map(([, value], index) => [`p${index}`, value]))];
};

export const libraryDecision = (token: string | Uint8Array, request: TokenRequest, root = ROOT): LibraryDecision => {
  const [source, parameters] = codeOf(request);
  return libraryDecides(token, `${source} allow if true;`, parameters, root);
};

export const libraryDecides = (
  token: string | Uint8Array,
  code: string,
  parameters: Record<string, unknown> = {},
  root = ROOT,
): LibraryDecision => {
  const unlessUnreadable = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch {
      return undefined;
    }
  };
  const text = typeof token === 'string' ? token : textOfToken(token);
  const biscuit = unlessUnreadable(() => Biscuit.fromBase64(text, root));
  if (!biscuit) return { kind: 'unreadable' };
  const builder = new AuthorizerBuilder();
  builder.addCodeWithParameters(code, parameters, {});
  const authorizer = unlessUnreadable(() => builder.buildAuthenticated(biscuit));
  biscuit.free();
  if (!authorizer) return { kind: 'unreadable' };
  try {
    authorizer.authorizeWithLimits({ max_time_micro: 60_000_000 });
    return { kind: 'passed' };
  } catch (error) {
    if (execution.safeParse(error).success) return { kind: 'broken' };
    const { checks } = failedLogic.parse(error).FailedLogic.Unauthorized;
    return { kind: 'failed', checks: checks.map(({ Block }) => Block.rule) };
  } finally {
    authorizer.free();
  }
};
