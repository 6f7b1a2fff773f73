import { expect } from 'vitest';
import type { Answer, TestService } from './service.ts';

export type Asked = {
  /** The HTTP answer around it. */
  readonly answer: Answer;
  // biome-ignore lint/suspicious/noExplicitAny: data is whatever the query asks for, and tests look into it.
  readonly data: any;
  // biome-ignore lint/suspicious/noExplicitAny: the same.
  readonly errors: any[] | undefined;
};

/** One operation as any client sends it. */
export const ask = async (
  service: TestService,
  query: string,
  variables: Readonly<Record<string, unknown>> = {},
  token?: string | null,
): Promise<Asked> => {
  const answer = await service.call('//graphql', {
    method: 'POST',
    body: { query, variables },
    ...(token === undefined ? {} : { token }),
  });
  return { answer, data: answer.json?.data, errors: answer.json?.errors };
};

/** The data of an operation that must succeed. */
export const askData = async (...asked: Parameters<typeof ask>): Promise<Asked['data']> => {
  const { data, errors } = await ask(...asked);
  expect(errors).toBeUndefined();
  return data;
};
