import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { startReceiver } from '#test/support/receivers/index.ts';

/** Uses up every descriptor of its own process, tries, frees them, and tries again. */
const SCRIPT = `
  import { closeSync, openSync } from 'node:fs';
  const { createSender } = await import(process.argv[1]);
  const sender = createSender({ allowCidrs: ['127.0.0.9'], timeoutMs: 2000 });
  const send = () => sender.send({ url: process.argv[2], method: 'POST', headers: {}, body: Buffer.from('{}') })
    .then((outcome) => outcome.status ?? outcome.reason, (error) => error.name + ' ' + error.code);
  const taken = [];
  try { for (;;) taken.push(openSync('/dev/null')); } catch {}
  const without = await send();
  taken.forEach(closeSync);
  process.stdout.write(JSON.stringify([without, await send()]));
  process.exit();
`;

describe('a machine out of descriptors', () => {
  it('is our own fault, and charges nobody with an attempt', async () => {
    await using receiver = await startReceiver();
    const module = new URL('../../../src/worker/send/send.ts', import.meta.url).href;
    const command = 'ulimit -n 64 && exec "$0" --input-type=module -e "$1" "$2" "$3"';
    const { stdout } = await promisify(execFile)('sh', ['-c', command, process.execPath, SCRIPT, module, receiver.url]);
    expect(JSON.parse(stdout)).toEqual(['LocalFault EMFILE', 200]);
    expect(receiver.requests.length).toBe(1);
  });
});
