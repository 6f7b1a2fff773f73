import type { Cleaner } from './cleaner.ts';
import { deletedApplicationSecrets } from './deleted-applications.ts';

/** All that is cleaned besides payloads and answers. */
export const cleaners: readonly Cleaner[] = [deletedApplicationSecrets];
