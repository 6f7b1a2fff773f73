import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import chromium from '@sparticuz/chromium';
import { chromium as playwright } from 'playwright-core';

/** Pictures of the main pages for the documentation, taken of the demo's shop. */
const DIRECTORY = join(import.meta.dirname, '../docs/screenshots');
const PORT = 18_123;
const SETTLE_MS = 2_500;

const demo = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'demo/run.ts', '--serve'], {
  cwd: join(import.meta.dirname, '..'),
  env: { ...process.env, PORT: String(PORT) },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const opened = new Promise<{ overview: string; token: string; masterKey: string }>((resolve, reject) => {
  let overview = '';
  let token = '';
  let masterKey = '';
  createInterface({ input: demo.stdout }).on('line', (line) => {
    overview = /Dashboard\s+(\S+)/.exec(line)?.[1] ?? overview;
    token = /Sign in with\s+(\S+)/.exec(line)?.[1] ?? token;
    masterKey = /or the master key\s+(\S+)/.exec(line)?.[1] ?? masterKey;
    if (line.includes('Stop with Ctrl-C')) resolve({ overview, token, masterKey });
  });
  demo.once('exit', (code) => reject(new Error(`The demo ended with ${code}.`)));
});

const browser = await playwright.launch({
  executablePath: await chromium.executablePath(),
  args: [...chromium.args.filter((arg) => arg !== '--single-process' && arg !== '--no-zygote'), '--no-sandbox'],
  headless: true,
});
try {
  const { overview, token, masterKey } = await opened;
  await mkdir(DIRECTORY, { recursive: true });
  // Something to restrict: the shop makes no token of its own.
  const api = async (path: string, body?: unknown): Promise<Record<string, string>> => {
    const response = await fetch(new URL(`/api/v1${path}`, overview), {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${masterKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await response.json()) as Record<string, string>;
  };
  const [, applicationId] = new URL(overview).pathname.split('/');
  const { organization_id: organizationId } = await api(`/applications/${applicationId}`);
  const { token_id: tokenId } = await api('/service_token', { organization_id: organizationId, name: 'Shop backend' });

  const shoot = async (name: string, path: string, theme: 'light' | 'dark', follow?: string): Promise<void> => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US' });
    const page = await context.newPage();
    await page.addInitScript(
      ([key, chosen]) => {
        sessionStorage.setItem('posthorn.token', key);
        localStorage.setItem('posthorn.theme', chosen);
      },
      [path.startsWith('/') ? masterKey : token, theme] as const, // Above applications, with the key that sees it.
    );
    await page.goto(path.startsWith('/') ? new URL(path, overview).href : overview.replace(/overview$/, path));
    await page.waitForTimeout(SETTLE_MS);
    if (follow !== undefined) {
      await page.locator(follow).first().click();
      await page.waitForTimeout(SETTLE_MS);
    }
    await page.screenshot({ path: join(DIRECTORY, `${name}-${theme}.png`) });
    await context.close();
    process.stdout.write(`${name}-${theme}.png\n`);
  };
  await shoot('overview', 'overview', 'light');
  await shoot('deliveries', 'deliveries', 'dark');
  await shoot('delivery', 'dead-letters', 'light', 'main a[href*="/deliveries/"]');
  await shoot('event', 'events?status=DEAD_LETTERED', 'light', 'main tbody a[href*="/events/"]');
  await shoot('restrict-token', `/organizations/${organizationId}/service-tokens/${tokenId}`, 'light');
} finally {
  await browser.close();
  demo.kill('SIGTERM');
}
