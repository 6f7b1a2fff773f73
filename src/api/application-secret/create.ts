import { hash, randomUUID } from 'node:crypto';
import { uuidv7 } from '../../domain/event/ids.ts';
import type { ApiDeps } from '../deps.ts';

/** As the log knows it. */
export const tokenSha256 = (token: string): string => hash('sha256', token, 'hex');

/** A fresh secret: its token, the command that makes it known, and the sealed row from which lists show it again. */
export const createSecret = async (
  { vault, now }: Pick<ApiDeps, 'vault' | 'now'>,
  { applicationId, organizationId, name }: { applicationId: string; organizationId: string; name: string | null },
) => {
  const secretId = uuidv7(now().getTime());
  const token = randomUUID();
  return {
    token,
    command: {
      type: 'CreateApplicationSecret' as const,
      data: { applicationId, organizationId, secretId, name, tokenSha256: tokenSha256(token) },
    },
    write: await vault.seal({ organizationId, sealedId: secretId, plain: token }),
  };
};
