import { notFound } from '../../../domain/refusals.ts';
import type { Context, Moment } from '../context.ts';
import type { CallRest, RestCall } from '../rest.ts';
import type { Resolver } from '../schema.ts';

/** Asks the REST operation that does what a mutation is for. */
export type Call = (call: RestCall) => ReturnType<CallRest>;

/** Who asks, and everything as it is after the operation. */
export type CommandSeen = { readonly moment: Moment; readonly context: Context };

/**
 * A mutation as the REST operation behind it and what it answers. That is read as it is after the operation, whatever the
 * mutations before it in the same request have read.
 */
export const command =
  <Args>(rest: CallRest, run: (args: Args, call: Call, seen: CommandSeen) => Promise<unknown>): Resolver =>
  (_root: unknown, args: Args, context: Context) =>
    run(args, (call) => rest(context.request, call), { moment: context.fresh(), context });

/** The part of a path that a client gave. */
export const encoded = encodeURIComponent;

/** `?application_id=…`, or nothing. */
export const ofApplication = (applicationId: string | null | undefined): string =>
  applicationId ? `?application_id=${encoded(applicationId)}` : '';

/** What was made or changed a moment ago; it can only have been deleted since. */
export const present = <T>(found: T | null | undefined, what: string, id: string): T => {
  if (found === null || found === undefined) throw notFound(what, id);
  return found;
};
