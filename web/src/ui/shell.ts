/** Parts of a command for a POSIX shell. */
export const shellQuoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
export const headerOption = (name: string, value: string): string => `-H ${shellQuoted(`${name}: ${value}`)}`;
