/** A payload as it came: exact bytes, which may or may not be text. */

const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** The bytes as text; null when they are not UTF-8. */
export const textOf = (base64: string): string | null => {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytesOf(base64));
  } catch {
    return null;
  }
};

const LINE_BYTES = 16;
/** More is of no use to eyes, and slow to draw. */
const SHOWN_BYTES_MAX = 16_384;

/** Offsets and bytes in hex, sixteen a line; the first 16 KiB. */
export const hexOf = (base64: string): string => {
  const bytes = bytesOf(base64).subarray(0, SHOWN_BYTES_MAX);
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += LINE_BYTES) {
    const part = [...bytes.subarray(at, at + LINE_BYTES)].map((byte) => byte.toString(16).padStart(2, '0'));
    lines.push(`${at.toString(16).padStart(6, '0')}  ${part.join(' ')}`);
  }
  return lines.join('\n');
};

/** Spaces and line breaks between the tokens only: numbers and strings stay as they were written. */
export const prettyJson = (text: string): string | null => {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  let depth = 0;
  const line = (): string => `\n${'  '.repeat(depth)}`;
  return [...text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s[\]{}:,"]+/g)]
    .map(([token], index, all) => {
      const before = all[index - 1]?.[0];
      const after = all[index + 1]?.[0];
      if (token === '{' || token === '[') {
        depth += 1;
        return after === '}' || after === ']' ? token : `${token}${line()}`;
      }
      if (token === '}' || token === ']') {
        depth -= 1;
        return before === '{' || before === '[' ? token : `${line()}${token}`;
      }
      if (token === ',') return `,${line()}`;
      return token === ':' ? ': ' : token;
    })
    .join('');
};
