import type { PoolClient, QueryResult } from 'pg';
import type { TestService } from './service.ts';

type Asked = readonly [asked: string | { readonly text: string }, values?: unknown[]];
const textOf = ([first]: Asked): string => (typeof first === 'string' ? first : first.text);

/** Shows each statement of the API, whoever it is for, before it is sent; what `notice` throws, the statement fails with. */
export const onStatement = ({ service }: TestService, notice: (text: string) => void): { restore: () => void } => {
  const { queryPool, tenantPool } = service.node.core;
  const { query } = queryPool;
  const { connect } = tenantPool;
  queryPool.query = ((...asked: Parameters<typeof query>) => {
    notice(textOf(asked as unknown as Asked));
    return query.apply(queryPool, asked);
  }) as typeof query;
  tenantPool.connect = (async () => {
    const client = await (connect as () => Promise<PoolClient>).call(tenantPool);
    const noticed = (...asked: Asked): Promise<QueryResult> => {
      notice(textOf(asked));
      return client.query(...(asked as [string]));
    };
    return { query: noticed, release: (error?: boolean) => client.release(error) };
  }) as unknown as typeof connect;
  return {
    restore: () => {
      queryPool.query = query;
      tenantPool.connect = connect;
    },
  };
};

/** What the API asks the database while `run` runs, without what goes on in the background. */
export const statementsOf = async (service: TestService, run: () => Promise<unknown>): Promise<string[]> => {
  const seen: string[] = [];
  const { restore } = onStatement(service, (text) => {
    if (!/log_head|processor_|pending_delivery|position > \$2|posthorn\.organizations/.test(text)) seen.push(text);
  });
  try {
    await run();
  } finally {
    restore();
  }
  return seen;
};
