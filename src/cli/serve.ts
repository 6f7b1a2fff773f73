import { parseArgs } from 'node:util';
import { loadConfig } from '../config/load.ts';
import { createLogger } from '../runtime/logger.ts';
import { openDatabase, prepareDatabase } from '../runtime/open-database.ts';
import { startService } from '../runtime/service.ts';
import { type Command, type CommandContext, EXIT } from './command.ts';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

const serve = async ({ env, version, out, args }: CommandContext): Promise<number> => {
  parseArgs({ args: [...args], options: {} });
  const config = loadConfig(env);
  const logger = createLogger(config);
  const startedAt = performance.now();
  const stopping = Promise.withResolvers<string>();
  // Listening before anything is started: a signal during the start must stop what is already there.
  for (const signal of SIGNALS) process.on(signal, () => stopping.resolve(signal));

  const database = await openDatabase(config, { log: (message) => logger.info(message) });
  try {
    const { partitions } = await prepareDatabase(database.url, config, (message) => logger.info(message));
    const { url, secrets, isAlone } = database;
    const service = await startService({ config, secrets, url, partitions, isAlone, version, logger });
    logger.info({ address: service.address, roles: config.roles, partitions, version }, 'posthorn is ready');
    if (service.address !== undefined && database.dataDir !== undefined)
      out(welcome(service.address, database.dataDir, secrets.masterKey, performance.now() - startedAt));
    const signal = await stopping.promise;
    for (const name of SIGNALS) process.once(name, () => process.exit(1));
    logger.info({ signal }, 'stopping: nothing new is taken, what is under way may end; a second signal stops at once');
    await service.stop();
    logger.info('stopped');
    return EXIT.done;
  } finally {
    await database.stop();
  }
};

const welcome = (address: string, dataDir: string, masterKey: string, ms: number): string => `
  Posthorn is ready after ${(ms / 1000).toFixed(1)} s.

  Dashboard    ${address}/      (sign in with the master key, or register)
  API          ${address}/api/v1      (reference: ${address}/docs)
  Data         ${dataDir}
  Master key   ${masterKey}

  Send a first event:

    export KEY=${masterKey} API=${address}/api/v1
    ORG=$(curl -s $API/organizations -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{"name":"Acme"}' | sed 's/.*"organization_id":"\\([^"]*\\)".*/\\1/')
    APP=$(curl -s $API/applications -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d "{\\"organization_id\\":\\"$ORG\\",\\"name\\":\\"Shop\\"}" | sed 's/.*"application_id":"\\([^"]*\\)".*/\\1/')
    curl -s $API/event_types -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d "{\\"application_id\\":\\"$APP\\",\\"name\\":\\"order.paid\\"}"
    curl -s $API/event -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d "{\\"application_id\\":\\"$APP\\",\\"event_type\\":\\"order.paid\\",\\"payload\\":{\\"amount\\":42}}"

  Stop with Ctrl-C.
`;

export const serveCommand: Command = {
  name: 'serve',
  summary: 'Run Posthorn: API, worker and projector, or the roles of POSTHORN_ROLES.',
  usage: `posthorn serve

Starts the embedded database unless DATABASE_URL names another, brings it up to date, and runs until SIGTERM or SIGINT. Then
it takes nothing new, lets what is under way end (at most POSTHORN_SHUTDOWN_TIMEOUT) and leaves no process behind; a second
signal ends it at once. \`posthorn config\` shows all settings.`,
  run: serve,
};
