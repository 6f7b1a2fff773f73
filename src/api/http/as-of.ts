import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { resolveAsOf } from '../../projections/as-of/cut.ts';
import type { Past } from '../../projections/as-of/past.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problems.ts';

/** The past that a query asks for; undefined for the present. Throws InvalidAsOf. */
export const pastOf = async (
  { pool, instancePool, reader }: Pick<ApiDeps, 'pool' | 'instancePool' | 'reader'>,
  { as_of: text }: { readonly as_of?: string | undefined },
): Promise<Past | undefined> =>
  text === undefined ? undefined : { db: pool, reader, cut: await resolveAsOf(instancePool, text) };

const NAMES_AS_OF = /[?&]as_of(?:=|&|$)/;

/** What cannot be asked of the past says so: an answer of the present, or a change, would be taken for something else. */
export const refuseAsOfElsewhere = (app: FastifyInstance): void => {
  app.addHook('onRequest', (request, _reply, done) => {
    if (!NAMES_AS_OF.test(request.url)) return done();
    const query = request.routeOptions.schema?.querystring;
    const takesAsOf = query instanceof z.ZodObject && 'as_of' in query.shape;
    const refusal = request.method === 'GET' ? 'This cannot be asked of the past' : 'The past cannot be changed';
    done(takesAsOf ? undefined : new Problem('InvalidAsOf', `${refusal}; leave as_of away.`));
  });
};
