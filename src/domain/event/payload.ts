import { DomainError, type DomainErrorId } from '../errors.ts';

const DEPTH_MAX = 64;

/**
 * The exact bytes to keep and to send. A string is taken as written: text as UTF-8, JSON checked but never re-serialised,
 * base64 decoded. With `application/json` a JSON value may stand in place of the string and is sent as its JSON text.
 * Throws EventInvalidPayloadContentType, EventInvalidJsonPayload or EventInvalidBase64Payload.
 */
export const payloadBytes = (contentType: string, payload: unknown): Buffer => {
  switch (contentType) {
    case 'application/json':
      return Buffer.from(typeof payload === 'string' ? checkedJson(payload) : jsonTextOf(payload), 'utf8');
    case 'text/plain': {
      const text = requireString(contentType, payload);
      if (!text.isWellFormed())
        throw refused('EventInvalidPayloadContentType', 'holds half a surrogate pair', UNPAIRED);
      return Buffer.from(text, 'utf8');
    }
    case 'application/octet-stream+base64':
      return base64Bytes(requireString(contentType, payload));
    default:
      throw refused(
        'EventInvalidPayloadContentType',
        'has a content type that is not supported',
        'Use text/plain, application/json or application/octet-stream+base64.',
      );
  }
};

/**
 * Whether JSON text nests deeper than `max` lists and objects, in one pass and without recursion, so that it can be asked
 * before anything is parsed. Of text that is not JSON the answer means nothing, and the parser will refuse it.
 */
export const jsonDepthExceeds = (text: string, max: number): boolean => {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = closingQuote(text, at + 1);
    } else if (code === OPEN_LIST || code === OPEN_OBJECT) {
      depth += 1;
      if (depth > max) return true;
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) {
      depth -= 1;
    }
  }
  return false;
};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const UNPAIRED = 'Send well-formed Unicode.';

const closingQuote = (text: string, from: number): number => {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at += 1;
  }
  return text.length;
};

const checkedJson = (text: string): string => {
  if (!text.isWellFormed()) throw refused('EventInvalidJsonPayload', 'holds half a surrogate pair', UNPAIRED);
  if (jsonDepthExceeds(text, DEPTH_MAX)) throw tooDeep();
  try {
    JSON.parse(text);
  } catch (cause) {
    // The parser's own message quotes the payload, which has no place in logs or answers.
    const position = /at position (\d+)/.exec(String(cause))?.[1];
    const where = position === undefined ? '' : ` (character ${position})`;
    throw refused('EventInvalidJsonPayload', `is not JSON${where}`, 'Send JSON text, or another payload_content_type.');
  }
  return text;
};

const jsonTextOf = (value: unknown): string => {
  checkValue(value, 0);
  return JSON.stringify(value);
};

/** Its recursion ends at the depth limit. Whatever JSON.stringify would change silently is refused. */
const checkValue = (value: unknown, depth: number): void => {
  switch (typeof value) {
    case 'boolean':
      return;
    case 'string':
      if (!value.isWellFormed()) throw refused('EventInvalidJsonPayload', 'holds half a surrogate pair', UNPAIRED);
      return;
    case 'number':
      if (Number.isFinite(value) && (Number.isSafeInteger(value) || !Number.isInteger(value))) return;
      throw refused(
        'EventInvalidJsonPayload',
        'holds a number too big to keep exactly',
        'Send the payload as a string.',
      );
    case 'object':
      if (value === null) return;
      if (depth === DEPTH_MAX) throw tooDeep();
      for (const [key, item] of Object.entries(value)) {
        checkValue(key, depth + 1);
        checkValue(item, depth + 1);
      }
      return;
    default:
      throw refused('EventInvalidJsonPayload', 'is missing', 'Send JSON text or a JSON value.');
  }
};

/** RFC 4648 section 4, strictly: padding present, no other characters, unused bits zero. Encoding back shows it all. */
const base64Bytes = (text: string): Buffer => {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') === text) return bytes;
  throw refused('EventInvalidBase64Payload', 'is not base64', 'Send standard base64 with padding and no line breaks.');
};

const requireString = (contentType: string, payload: unknown): string => {
  if (typeof payload === 'string') return payload;
  throw refused('EventInvalidPayloadContentType', `with ${contentType} must be a string`, 'Only JSON may be a value.');
};

const tooDeep = (): DomainError =>
  refused('EventInvalidJsonPayload', `nests deeper than ${DEPTH_MAX} levels`, 'Flatten it.');

const refused = (id: DomainErrorId, what: string, todo: string): DomainError =>
  new DomainError(id, `The event's payload ${what}. ${todo}`);
