/** Labels and headers as people write them: one `name: value` a line. */

export type Parsed = { readonly entries: Record<string, string>; readonly error: string | null };

export const parseEntries = (text: string, separator: ':' | '=' = ':'): Parsed => {
  const entries: Record<string, string> = {};
  for (const line of text
    .split('\n')
    .map((part) => part.trim())
    .filter(Boolean)) {
    const at = line.indexOf(separator);
    if (at < 1) return { entries, error: `Write "${line}" as name${separator} value.` };
    entries[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return { entries, error: null };
};

export const writeEntries = (entries: Readonly<Record<string, string>>, separator: ':' | '=' = ':'): string =>
  Object.entries(entries)
    .map(([name, value]) => `${name}${separator}${separator === ':' ? ' ' : ''}${value}`)
    .join('\n');

export const parseNames = (text: string): string[] => [...new Set(text.split(/[\s,]+/).filter(Boolean))];
