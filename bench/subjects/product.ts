import { loadConfig } from '../../src/config/load.ts';
import { loadOrCreateSecrets } from '../../src/config/secrets.ts';
import { prepareDatabase } from '../../src/runtime/open-database.ts';
import { startService } from '../../src/runtime/service.ts';
import { reportReady } from '../support/child.ts';

/** Posthorn as `posthorn serve` runs it, on the bench's database. */
const config = loadConfig(process.env);
const secrets = loadOrCreateSecrets(config.dataDir, config);
const url = config.databaseUrl ?? '';
const { partitions } = await prepareDatabase(url, config, () => undefined);
const service = await startService({ config, secrets, url, partitions, isAlone: false, version: 'bench' });
reportReady({ port: Number(new URL(service.address ?? 'http://x:0').port) }, () => service.stop());
