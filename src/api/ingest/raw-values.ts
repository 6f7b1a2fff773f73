/**
 * Cuts values out of JSON text exactly as they are written, so that a payload given as a JSON value keeps its duplicate
 * keys, its numbers and its order. The text must have passed `JSON.parse`; of a key that comes twice the last one counts,
 * as it does there.
 */
export const rawMember = (text: string, key: string): string | undefined => {
  const span = members(text, skipBlank(text, 0)).get(key);
  return span && text.slice(span.start, span.end);
};

/** The raw elements of a list member, e.g. the objects of `{"events": [...]}`. */
export const rawElements = (text: string, key: string): string[] => {
  const span = members(text, skipBlank(text, 0)).get(key);
  if (!span || text[span.start] !== '[') return [];
  const elements: string[] = [];
  let at = skipBlank(text, span.start + 1);
  while (text[at] !== ']') {
    const end = valueEnd(text, at);
    elements.push(text.slice(at, end));
    at = skipBlank(text, end);
    if (text[at] === ',') at = skipBlank(text, at + 1);
  }
  return elements;
};

type Span = { readonly start: number; readonly end: number };

const members = (text: string, open: number): Map<string, Span> => {
  const found = new Map<string, Span>();
  if (text[open] !== '{') return found;
  let at = skipBlank(text, open + 1);
  while (text[at] === '"') {
    const keyEnd = valueEnd(text, at);
    const key = JSON.parse(text.slice(at, keyEnd)) as string;
    const start = skipBlank(text, skipBlank(text, keyEnd) + 1);
    const end = valueEnd(text, start);
    found.set(key, { start, end });
    at = skipBlank(text, end);
    if (text[at] === ',') at = skipBlank(text, at + 1);
  }
  return found;
};

const skipBlank = (text: string, from: number): number => {
  let at = from;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1;
  return at;
};

/** Just past the value that starts at `from`; strings are stepped over, brackets counted, scalars end where JSON goes on. */
const valueEnd = (text: string, from: number): number => {
  if (text[from] === '"') return stringEnd(text, from);
  if (text[from] !== '{' && text[from] !== '[') {
    let at = from;
    while (at < text.length && !',]} \n\r\t'.includes(text[at] ?? '')) at += 1;
    return at;
  }
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') at = stringEnd(text, at) - 1;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return text.length;
};

const stringEnd = (text: string, quote: number): number => {
  let at = quote + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
};
