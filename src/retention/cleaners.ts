import type { Cleaner } from './cleaner.ts';
import { deletedApplicationSecrets } from './deleted-applications.ts';
import { endedSessions, expiredMailTokens, pastUsage } from './people.ts';
import { unverifiedUsers } from './unverified-users.ts';

/** All that is cleaned besides payloads and answers. */
export const cleaners: readonly Cleaner[] = [
  deletedApplicationSecrets,
  endedSessions,
  expiredMailTokens,
  unverifiedUsers,
  pastUsage,
];
