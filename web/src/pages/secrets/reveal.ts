import type { Failure } from '../../api/failure.ts';
import { rest } from '../../api/rest.ts';
import { reauthentication } from '../../state/reauthentication.svelte.ts';

type Shown = { readonly secret_id: string; readonly token: string | null };

const PAGE = 100;

const find = async (application: string, id: string): Promise<Shown | undefined> => {
  const shown = await rest<readonly Shown[]>(
    'GET',
    `/application_secrets?application_id=${application}&pagination_count=${PAGE}`,
  );
  return shown.find(({ secret_id: secretId }) => secretId === id);
};

const hidden = (title: string, detail: string): Failure => ({
  id: 'Forbidden',
  title,
  detail,
  advice: null,
  requestId: null,
});

/** The token of a secret. Lists leave it out, instead of refusing, for who gave the password too long ago. */
export const revealSecret = async (application: string, id: string): Promise<string> => {
  let shown = await find(application, id);
  if (shown?.token === null && (await reauthentication.ask())) shown = await find(application, id);
  if (!shown) throw hidden('The secret is gone', 'It was revoked meanwhile.');
  if (shown.token === null) throw hidden('The secret stays hidden', 'It is shown after the password was given.');
  return shown.token;
};
