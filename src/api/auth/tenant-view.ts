import { AsyncLocalStorage } from 'node:async_hooks';
import type { Pool, QueryConfig, QueryResult } from 'pg';
import { arrayLiteral } from '../../eventstore/statements.ts';
import type { Queryable } from '../../projections/page.ts';
import { organizationsOf, type Principal } from './principal.ts';

/** Whoever asks, as it is known at each moment: a request. */
type Asker = { readonly principal: Principal };

export type TenantView = {
  /** Runs work, and all that it begins, on behalf of whoever asks. */
  readonly run: <Result>(asker: Asker, work: () => Result) => Result;
  /** For queries on behalf of whoever asks. Outside of `run` there is nobody, and a query throws. */
  readonly pool: Queryable;
};

const SHOW = { name: 'show_organizations', text: `SELECT set_config('posthorn.organizations', $1, false)` };

/**
 * The second wall behind `authorize`: queries of tenants go to connections that act as `posthorn_tenant`, to which row-level security
 * shows the organizations that it is told with every query. Those of the master key act as `posthorn_app`.
 */
export const createTenantView = ({
  instancePool,
  tenantPool,
}: {
  instancePool: Pool;
  /** Its connections act as `posthorn_tenant`. */
  tenantPool: Pool;
}): TenantView => {
  const askers = new AsyncLocalStorage<Asker>();

  const asTenant = async (
    organizations: readonly string[],
    asked: string | QueryConfig,
    values?: unknown[],
  ): Promise<QueryResult> => {
    const client = await tenantPool.connect();
    const send = async (...query: [string | QueryConfig, unknown[]?]): Promise<QueryResult> => client.query(...query);
    let isSound = false;
    try {
      // Sent together. When the first fails, what the second finds is another tenant's: it is thrown away with the connection.
      const [, found] = await Promise.all([send(SHOW, [arrayLiteral(organizations)]), send(asked, values)]);
      isSound = true;
      return found;
    } finally {
      client.release(!isSound);
    }
  };

  const query = async (asked: string | QueryConfig, values?: unknown[]): Promise<QueryResult> => {
    const asker = askers.getStore();
    if (!asker)
      throw new Error(
        'A query on behalf of nobody: what belongs to no tenant is read through the pool of the instance.',
      );
    const organizations = organizationsOf(asker.principal);
    return organizations === 'all' ? instancePool.query(asked, values) : asTenant(organizations, asked, values);
  };

  return { run: (asker, work) => askers.run(asker, work), pool: { query: query as Queryable['query'] } };
};
