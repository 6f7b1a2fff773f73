export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

/** One place where two values differ; null for what is not there. */
export type Change = {
  /** JSON Pointer (RFC 6901). */
  readonly path: string;
  readonly before: Json;
  readonly after: Json;
};

/** Where two objects differ, in the order of the paths: objects are entered, lists are told as a whole. */
export const diff = (before: JsonObject, after: JsonObject, at = ''): Change[] => {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((key) => {
    const path = `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const [was, is] = [own(before, key), own(after, key)];
    if (isObject(was) || isObject(is)) {
      // From or to something that is no object: what is in it comes or goes.
      const nested = diff(isObject(was) ? was : {}, isObject(is) ? is : {}, path);
      const [plainWas, plainIs] = [isObject(was) ? null : (was ?? null), isObject(is) ? null : (is ?? null)];
      return plainWas === plainIs ? nested : [{ path, before: plainWas, after: plainIs }, ...nested];
    }
    if (JSON.stringify(was) === JSON.stringify(is)) return [];
    const [wasOrNull, isOrNull] = [was ?? null, is ?? null];
    return wasOrNull === isOrNull ? [] : [{ path, before: wasOrNull, after: isOrNull }];
  });
};

const own = (of: JsonObject, key: string): Json | undefined => (Object.hasOwn(of, key) ? of[key] : undefined);

const isObject = (value: Json | undefined): value is JsonObject =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
