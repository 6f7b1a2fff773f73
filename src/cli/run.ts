import { ConfigError } from '../config/load.ts';
import { auditCheckpointCommand, auditVerifyCommand } from './audit.ts';
import { auditExportCommand } from './audit-export.ts';
import { auditReplayCommand } from './audit-replay.ts';
import { type Command, type CommandContext, EXIT, UsageError } from './command.ts';
import { configCommand } from './config.ts';
import { keysRewrapCommand } from './keys.ts';
import { migrateCommand } from './migrate.ts';
import { projectionsCheckCommand, projectionsListCommand, projectionsRebuildCommand } from './projections.ts';
import { retentionApplyCommand, retentionPlanCommand } from './retention.ts';
import { serveCommand } from './serve.ts';
import { tokenAttenuateCommand, tokenInspectCommand } from './token.ts';

export const COMMANDS: readonly Command[] = [
  serveCommand,
  migrateCommand,
  configCommand,
  keysRewrapCommand,
  auditVerifyCommand,
  auditCheckpointCommand,
  auditExportCommand,
  auditReplayCommand,
  projectionsListCommand,
  projectionsCheckCommand,
  projectionsRebuildCommand,
  tokenInspectCommand,
  tokenAttenuateCommand,
  retentionPlanCommand,
  retentionApplyCommand,
];

const overview = (): string => {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  return `posthorn <command> [options]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n')}

\`posthorn <command> --help\` tells more; \`posthorn --version\` tells the version. Settings come from the environment: see
\`posthorn config\`. Exit codes: 0 done, 1 failed or found something, 2 wrong use.`;
};

const find = (words: readonly string[]): { command: Command; rest: readonly string[] } | undefined => {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ');
    const command = COMMANDS.find((candidate) => candidate.name === name);
    if (command) return { command, rest: words.slice(length) };
  }
  return undefined;
};

const isUsageFault = (error: unknown): error is Error =>
  error instanceof UsageError ||
  error instanceof ConfigError ||
  (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));

/** Runs the command that the words name and answers with the exit code; every failure is one sentence on standard error. */
export const runCommand = async (words: readonly string[], context: Omit<CommandContext, 'args'>): Promise<number> => {
  const { out, err, version } = context;
  const isHelp = words.includes('--help') || words.includes('-h');
  const found = find(words);
  if (!found) {
    if (words.length === 0 || isHelp) out(overview());
    else if (words.includes('--version')) out(version);
    else err(`posthorn: there is no command ${words.slice(0, 2).join(' ')}; see \`posthorn --help\`.\n`);
    return words.length === 0 || isHelp || words.includes('--version') ? EXIT.done : EXIT.wrongUse;
  }
  const { command, rest } = found;
  if (isHelp) {
    out(`${command.summary}\n\n${command.usage}`);
    return EXIT.done;
  }
  try {
    return await command.run({ ...context, args: rest });
  } catch (error) {
    err(`posthorn: ${error instanceof Error ? error.message : String(error)}\n`);
    return isUsageFault(error) ? EXIT.wrongUse : EXIT.failed;
  }
};
