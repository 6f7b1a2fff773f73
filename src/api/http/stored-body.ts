import { BodyChanged } from '../../vault/vault.ts';
import { Problem } from '../problems.ts';

/** What was found, unless it is not what was stored: then StoredBodyChanged is thrown. */
export const unchanged = <Found>(found: Found | BodyChanged): Found => {
  if (found instanceof BodyChanged) throw new Problem('StoredBodyChanged', found.message);
  return found;
};
