/** `npm run demo` plays and ends; `npm run demo -- --serve` goes on serving a shop with an hour behind it. */
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { serve: { type: 'boolean', default: false } } });
await (values.serve ? import('./serve.ts') : import('./play.ts'));
