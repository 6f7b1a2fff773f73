import type { TestService } from './service.ts';

/** What the query pool is asked while `run` runs, without what goes on in the background. */
export const statementsOf = async ({ service }: TestService, run: () => Promise<unknown>): Promise<string[]> => {
  const { queryPool } = service.node.core;
  const { query } = queryPool;
  const seen: string[] = [];
  queryPool.query = ((...asked: Parameters<typeof query>) => {
    const [first] = asked as unknown as [string | { text: string }];
    const text = typeof first === 'string' ? first : first.text;
    if (!/log_head|processor_|pending_delivery|position > \$2/.test(text)) seen.push(text);
    return query.apply(queryPool, asked);
  }) as typeof query;
  try {
    await run();
  } finally {
    queryPool.query = query;
  }
  return seen;
};
