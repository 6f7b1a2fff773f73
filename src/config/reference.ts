import { describeConfig } from './describe.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|');

/** docs/configuration.md, from the same schema that reads the settings; a test compares the two. */
export const configurationReference = (): string => {
  const rows = describeConfig({}).map(({ variable, alias, default: standard, origin, expected, description }) => {
    const name = alias === null ? `\`${variable}\`` : `\`${variable}\` or \`${alias}\``;
    const made =
      origin === 'data directory'
        ? 'made once and kept in the data directory; must be given with `DATABASE_URL`'
        : 'none';
    return `| ${name} | ${standard === null ? made : `\`${cell(standard)}\``} | ${cell(description)} Must be ${cell(expected)}. |`;
  });
  return `# Configuration

All settings are environment variables. \`posthorn config\` shows each with its value and where that comes from; a wrong value
keeps Posthorn from starting, with one sentence that names the variable. This page is printed by \`posthorn config --reference\`.

| Variable | Default | Meaning |
| --- | --- | --- |
${rows.join('\n')}
`;
};
