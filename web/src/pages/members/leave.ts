import { router } from '../../router.svelte.ts';
import { session } from '../../state/session.svelte.ts';
import { workspace } from '../../state/workspace.svelte.ts';
import { toast } from '../../ui/toasts.svelte.ts';

/** Goes elsewhere after an organization is no longer one's own. A fresh token is looked at anew; a key stays what it is. */
export const leaveFor = async (href: string, done: string): Promise<void> => {
  toast(done);
  if (session.userId !== null) await session.refresh();
  await workspace.load();
  router.go(href);
};
