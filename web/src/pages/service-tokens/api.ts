import { rest } from '../../api/rest.ts';

/** All that are given hold at once; what is left out restricts nothing. */
export type Restrictions = {
  readonly application_id?: string;
  readonly actions?: readonly string[];
  readonly subscription_ids?: readonly string[];
  readonly event_types?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly expires_at?: string;
  readonly datalog?: string;
};
export type Restricted = { readonly biscuit: string; readonly revocation_ids: readonly string[] };
export type TokenFacts = { readonly token_id: string; readonly name: string; readonly revocation_id: string };

/** Its text comes along for those who gave their password a short while ago, and is dropped right here. */
export const findToken = async (id: string): Promise<TokenFacts> => {
  const { token_id, name, revocation_id } = await rest<TokenFacts>('GET', `/service_token/${id}`);
  return { token_id, name, revocation_id };
};
export const restrictToken = (id: string, restrictions: Restrictions): Promise<Restricted> =>
  rest('POST', `/service_token/${id}/attenuate`, restrictions);
export const revokeBlock = (id: string, revocationId: string): Promise<void> =>
  rest('POST', `/service_token/${id}/revoke_block`, { revocation_id: revocationId });

/** What an editor may do, and a restricted service token; by what it is about. */
export const ACTIONS: readonly (readonly [what: string, actions: readonly string[]])[] = [
  ['Events', ['event:ingest', 'event:list', 'event:get', 'event:replay', 'event:erase']],
  ['Event types', ['event_type:list', 'event_type:get', 'event_type:create', 'event_type:edit', 'event_type:delete']],
  [
    'Subscriptions',
    ['subscription:list', 'subscription:get', 'subscription:create', 'subscription:edit', 'subscription:delete'],
  ],
  ['Deliveries', ['delivery:list', 'delivery:get', 'delivery:retry', 'delivery:replay', 'delivery:cancel']],
  ['Request attempts', ['request_attempt:list', 'request_attempt:get', 'response:get']],
  ['Domain events', ['domain_event:list']],
  ['Dead letters', ['dead_letter:list', 'dead_letter:replay']],
  [
    'Applications',
    ['application:list', 'application:get', 'application:create', 'application:edit', 'application:delete'],
  ],
];
