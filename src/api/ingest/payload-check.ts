import type { PayloadContentType } from '../../domain/event/events.ts';
import type { SchemaCache, SchemaKey } from '../../payload-schema/cache.ts';
import type { CompiledSchema, Finding } from '../../payload-schema/compile.ts';
import { Problem, type Validation } from '../problems.ts';

export type Payload = { readonly contentType: PayloadContentType; readonly body: Buffer };

/** What of a payload, as it was accepted, does not match a schema. Only JSON can. */
export const findingsIn = (schema: CompiledSchema, { contentType, body }: Payload): readonly Finding[] =>
  contentType === 'application/json'
    ? schema(JSON.parse(body.toString('utf8')), body.length)
    : [{ path: '', keyword: 'content-type', message: 'must be application/json, since the event type has a schema' }];

/** What a problem says of findings. */
export const validationOf = (findings: readonly Finding[]): Validation => ({
  payload: findings.map(({ path, keyword, message }) => ({ code: keyword, message, params: { path } })),
});

/** The refusal of a payload by a version of its event type's schema, or undefined when it matches. */
export const createPayloadCheck =
  (schemas: SchemaCache) =>
  async (key: SchemaKey, payload: Payload): Promise<Problem | undefined> => {
    const findings = findingsIn(await schemas(key), payload);
    const [first] = findings;
    if (!first) return undefined;
    const at = first.path === '' ? 'The payload' : `${first.path} of the payload`;
    const others = findings.length === 1 ? '' : `, and ${findings.length - 1} more`;
    return new Problem(
      'EventInvalidAgainstSchema',
      `${at} ${first.message}${others} (version ${key.version} of the schema of ${key.name}).`,
      { validation: validationOf(findings) },
    );
  };

export type PayloadCheck = ReturnType<typeof createPayloadCheck>;
