import { TokenRefused } from './refused.ts';

/**
 * Protocol Buffers as encoders write them, and no other way: unknown fields, a single field given twice, numbers in more bytes
 * than they need and groups are refused. What is read here is read again by the library, so that anything two readers could
 * take differently would be a way around the gate.
 */

const VARINT = 0;
const BYTES = 2;

export const malformed = (what: string): TokenRefused =>
  new TokenRefused('malformed', `The token is not well-formed: ${what}.`);

type Value = number | bigint | Uint8Array;

/** The fields of one message. */
export class Message {
  readonly #fields = new Map<number, Value[]>();

  /** `known`: the field numbers that the message may have. */
  constructor(bytes: Uint8Array, known: readonly number[]) {
    let offset = 0;
    const varint = (): number | bigint => {
      const [value, next] = readVarint(bytes, offset);
      offset = next;
      return value;
    };
    while (offset < bytes.length) {
      const key = Number(varint());
      const [field, type] = [Math.floor(key / 8), key % 8];
      if (!known.includes(field)) throw malformed(`a field ${field} that Biscuit does not have`);
      let value: Value = 0;
      if (type === VARINT) value = varint();
      else if (type === BYTES) {
        const end = Number(varint()) + offset;
        if (end > bytes.length) throw malformed('it is cut off');
        value = bytes.subarray(offset, end);
        offset = end;
      } else throw malformed(`a field of wire type ${type}`);
      const values = this.#fields.get(field);
      if (values) values.push(value);
      else this.#fields.set(field, [value]);
    }
  }

  /** The numbers of the fields that are there; for oneofs. */
  get present(): number[] {
    return [...this.#fields.keys()];
  }

  has(field: number): boolean {
    return this.#fields.has(field);
  }

  list(field: number): Uint8Array[] {
    return (this.#fields.get(field) ?? []).map(asBytes);
  }

  texts(field: number): string[] {
    return this.list(field).map(textOf);
  }

  numbers(field: number): number[] {
    return (this.#fields.get(field) ?? []).map((value) => asNumber(value, 0xffff_ffff));
  }

  bytes(field: number): Uint8Array {
    return asBytes(this.#single(field));
  }

  /** An unsigned number, at most `max`; throws when it is missing. */
  number(field: number, max = 0xffff_ffff): number {
    return asNumber(this.#single(field), max);
  }

  optionalNumber(field: number): number | undefined {
    return this.has(field) ? this.number(field) : undefined;
  }

  /** An int64, whose negative values are written as ten bytes of two's complement. */
  signed(field: number): bigint {
    const value = this.#single(field);
    if (value instanceof Uint8Array) throw malformed('bytes where a number belongs');
    return BigInt.asIntN(64, BigInt(value));
  }

  #single(field: number): Value {
    const values = this.#fields.get(field);
    const [value] = values ?? [];
    if (value === undefined) throw malformed(`its field ${field} is missing`);
    if (values?.length !== 1) throw malformed(`its field ${field} is there twice`);
    return value;
  }
}

const readVarint = (bytes: Uint8Array, start: number): [number | bigint, number] => {
  const first = bytes[start];
  if (first === undefined) throw malformed('it is cut off');
  if (first < 0x80) return [first, start + 1];
  let value = 0n;
  for (let index = 0; index < 10; index += 1) {
    const byte = bytes[start + index];
    if (byte === undefined) throw malformed('it is cut off');
    value |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte >= 0x80) continue;
    if (byte === 0 || value >= 1n << 64n) break;
    return [value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value, start + index + 1];
  }
  throw malformed('a number is not written as it should be');
};

const asBytes = (value: Value): Uint8Array => {
  if (value instanceof Uint8Array) return value;
  throw malformed('a number where bytes belong');
};

const asNumber = (value: Value, max: number): number => {
  if (typeof value === 'number' && value <= max) return value;
  throw malformed('a number is out of range');
};

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const textOf = (bytes: Uint8Array): string => {
  try {
    return UTF8.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw malformed('a text is not UTF-8');
    throw error;
  }
};

const varintOf = (value: number): Buffer => {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
};

/** One field of a message: a number as a varint, bytes with their length. */
export const field = (number: number, value: number | Uint8Array): Buffer =>
  typeof value === 'number'
    ? Buffer.concat([varintOf(number * 8 + VARINT), varintOf(value)])
    : Buffer.concat([varintOf(number * 8 + BYTES), varintOf(value.length), value]);
