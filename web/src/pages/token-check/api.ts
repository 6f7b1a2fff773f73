import { rest } from '../../api/rest.ts';

export type Inspected = {
  readonly kind: string | null;
  readonly is_sealed: boolean;
  readonly is_genuine: boolean;
  readonly is_live: boolean;
  readonly why_not: string | null;
  readonly blocks: readonly { readonly revocation_id: string; readonly datalog: string | null }[];
};
export type Question = {
  readonly organization_id: string;
  readonly biscuit: string;
  readonly action: string;
  readonly application_id?: string;
  readonly event_types?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
};
export type Verdict = { readonly is_allowed: boolean; readonly why: string | null };

export const inspectToken = (biscuit: string): Promise<Inspected> =>
  rest('POST', '/service_token/inspect', { biscuit });
export const checkToken = (question: Question): Promise<Verdict> => rest('POST', '/service_token/check', question);
