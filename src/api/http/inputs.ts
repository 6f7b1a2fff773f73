import { z } from 'zod';
import { text, uuid } from './strings.ts';

const LIMIT_MAX = 100;

/** The application a request is about; with the secret of an application it is that one. */
export const ApplicationQuery = z.object({
  application_id: uuid().optional().describe('May be left out with the secret of an application.'),
});

/** Asks a read of the past; {@link pastOf} makes a cut of it. */
export const AsOfQuery = z.object({
  as_of: text(1, 64)
    .optional()
    .describe('An RFC 3339 instant, or a position `<log partition>:<position>`: the answer as it was then.'),
});

export const PageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(LIMIT_MAX).default(LIMIT_MAX).describe('Rows of a page, at most.'),
  pagination_cursor: text(1, 1_000)
    .optional()
    .describe('Where the page begins, as the `Link` header of the page before says.'),
});

/** An instant; with an offset, or in UTC. */
export const instant = () => z.iso.datetime({ offset: true });

/** Of a query: as an instant of our own. */
export const instantQuery = () => instant().transform((at) => new Date(at));
