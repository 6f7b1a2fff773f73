import { DomainError } from './errors.ts';

/** Unknown, deleted and somebody else's answer alike, so that ids cannot be probed. */
export const notFound = (what: string, id: string): DomainError =>
  new DomainError('NotFound', `There is no ${what} ${id}. Check the id, or list what exists.`);

/**
 * Creating under an id that was used for something else. Ids are made by Posthorn, so only a fault gets here; the answer
 * is the one of a foreign id, because what was described does not exist under this one.
 */
export const idTaken = (what: string, id: string): DomainError =>
  new DomainError('NotFound', `The ${what} id ${id} already stands for something else. Create it under a fresh id.`);
