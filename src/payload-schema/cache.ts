import type { JsonSchema } from '../domain/event-type/events.ts';
import { type CompiledSchema, compileSchema } from './compile.ts';

export type SchemaKey = { readonly applicationId: string; readonly name: string; readonly version: number };

/** Compiled schemas that are kept, and what their JSON text has in all. Compiled, they take some ten times as much. */
const SCHEMAS_MAX = 500;
const BYTES_MAX = 4 * 1024 * 1024;

export type SchemaCache = (key: SchemaKey) => Promise<CompiledSchema>;

type Entry = { readonly compiled: Promise<CompiledSchema>; bytes: number };

/** Compiles each version once, and again when it was not used for long. A version never changes, so none grows stale. */
export const createSchemaCache = ({
  load,
  schemasMax = SCHEMAS_MAX,
  bytesMax = BYTES_MAX,
}: {
  /** Rejects when there is no such version. */
  readonly load: (key: SchemaKey) => Promise<JsonSchema>;
  readonly schemasMax?: number;
  readonly bytesMax?: number;
}): SchemaCache => {
  const entries = new Map<string, Entry>();
  let bytes = 0;

  const forget = (id: string, entry: Entry): void => {
    if (entries.get(id) !== entry) return;
    entries.delete(id);
    bytes -= entry.bytes;
  };
  const shrink = (): void => {
    for (const [id, entry] of entries) {
      if (entries.size <= 1 || (entries.size <= schemasMax && bytes <= bytesMax)) return;
      forget(id, entry);
    }
  };

  const add = (id: string, key: SchemaKey): Entry => {
    const compile = async (): Promise<CompiledSchema> => {
      const schema = await load(key);
      if (entries.get(id) === entry) {
        entry.bytes = JSON.stringify(schema).length;
        bytes += entry.bytes;
        shrink();
      }
      return compileSchema(schema);
    };
    // The entry is there before anything is waited for.
    const entry: Entry = { compiled: Promise.resolve().then(compile), bytes: 0 };
    entry.compiled.catch(() => forget(id, entry));
    entries.set(id, entry);
    shrink();
    return entry;
  };

  return ({ applicationId, name, version }) => {
    const id = `${applicationId}/${name}/${version}`;
    const found = entries.get(id);
    if (!found) return add(id, { applicationId, name, version }).compiled;
    // Last in line to be forgotten.
    entries.delete(id);
    entries.set(id, found);
    return found.compiled;
  };
};
