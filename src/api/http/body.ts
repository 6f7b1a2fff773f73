import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { jsonDepthExceeds } from '../../domain/event/payload.ts';
import { Problem } from '../problems.ts';

/** Lists and objects within each other. */
export const JSON_DEPTH_MAX = 64;

declare module 'fastify' {
  interface FastifyRequest {
    /** The request body as it came, decoded: for who needs a part of it exactly as written. */
    bodyText: string;
  }
}

/** The key itself, or an escape of one of its letters. */
const MAY_SPELL_PROTO = /__proto__|\\u00(?:5f|6f|7[024])/i;

const parse = (bytes: Buffer): { text: string; value: unknown } => {
  if (bytes.length === 0) throw new Problem('JsonPayload', 'The request body is empty; send a JSON object.');
  if (!isUtf8(bytes)) throw new Problem('JsonPayload', 'The request body is not UTF-8.');
  const text = bytes.toString('utf8');
  if (jsonDepthExceeds(text, JSON_DEPTH_MAX))
    throw new Problem('JsonPayload', `The request body is nested deeper than ${JSON_DEPTH_MAX} levels.`);
  try {
    return { text, value: MAY_SPELL_PROTO.test(text) ? JSON.parse(text, refuseProto) : JSON.parse(text) };
  } catch (error) {
    if (error instanceof Problem) throw error;
    // The parser's message quotes the body, which has no place in an answer that is logged elsewhere.
    throw new Problem('JsonPayload', 'The request body is not JSON.');
  }
};

/** A key that would reach the prototype of an object when copied; within payloads that are strings it is left alone. */
const refuseProto = (key: string, value: unknown): unknown => {
  if (key === '__proto__')
    throw new Problem('JsonPayload', 'The request body has a key `__proto__`, which is not allowed.');
  return value;
};

const needsBody = ({ routeOptions }: FastifyRequest): boolean => {
  const body = routeOptions.schema?.body;
  return body instanceof z.ZodType && !body.safeParse(undefined).success;
};

/** Reads `application/json` and nothing else; every refusal is a problem. */
export const registerJsonBody = (app: FastifyInstance): void => {
  app.decorateRequest('bodyText', '');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    // Many clients name the type of every request, also of those that have no body.
    if (bytes.length === 0 && !needsBody(request)) return done(null, undefined);
    try {
      const { text, value } = parse(bytes as Buffer);
      request.bodyText = text;
      done(null, value);
    } catch (error) {
      done(error as Error);
    }
  });
};
