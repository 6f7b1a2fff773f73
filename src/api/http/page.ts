import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Page, PageRequest } from '../../projections/page.ts';

/** What a list's query asks for, in the words of the read models. */
export const pageRequest = (query: { limit: number; pagination_cursor?: string | undefined }): PageRequest => ({
  limit: query.limit,
  cursor: query.pagination_cursor,
});

/** Names the next page, if there is one: RFC 8288, with all other parameters as they were. */
export const linkNext = (
  request: FastifyRequest,
  reply: FastifyReply,
  publicUrl: string,
  { nextCursor }: Pick<Page<unknown>, 'nextCursor'>,
): void => {
  if (nextCursor === null) return;
  const { url } = request;
  // Only the first one begins the query: further ones belong to values, such as those of filters.
  const queryAt = url.includes('?') ? url.indexOf('?') : url.length;
  const path = url.slice(0, queryAt);
  const parameters = new URLSearchParams(url.slice(queryAt));
  parameters.set('pagination_cursor', nextCursor);
  reply.header('link', `<${publicUrl}${path}?${parameters.toString()}>; rel="next"`);
};
