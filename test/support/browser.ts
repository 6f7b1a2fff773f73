import chromium from '@sparticuz/chromium';
import { type Browser, type BrowserContext, type Page, chromium as playwright } from 'playwright-core';
import { expect } from 'vitest';
import { eventually } from './eventually.ts';
import type { TestService } from './service.ts';

/** Below the time that a test has, so that it says what it waited for. */
const PATIENCE_MS = 10_000;

export type Visit = {
  /** Below the application, such as `overview`. */
  readonly path: string;
  readonly token?: string;
  /** `light` unless told; `system` follows `emulateMedia`. */
  readonly theme?: 'light' | 'dark' | 'system';
  readonly width?: number;
  readonly height?: number;
};

export type TestBrowser = {
  /** Opens a page as somebody who is signed in. */
  readonly visit: (service: TestService, applicationId: string, visit: Visit) => Promise<Page>;
  /** A context of its own, as somebody who has never been here. */
  readonly stranger: () => Promise<Page>;
  /** What browsers complained about: errors of scripts, violated policies, requests to other hosts. */
  readonly complaints: readonly string[];
  readonly close: () => Promise<void>;
};

/**
 * A real Chromium, from a package. Every page it opens is watched for what must never happen; in each runs, before its own
 * scripts, the one whose path is given.
 */
export const startBrowser = async ({ initScript }: { initScript?: string } = {}): Promise<TestBrowser> => {
  const browser: Browser = await playwright.launch({
    executablePath: await chromium.executablePath(),
    // Of the package's own, one process for everything is meant for other places: there the browser ends with its first context.
    args: [
      ...chromium.args.filter((arg) => arg !== '--single-process' && arg !== '--no-zygote'),
      '--no-sandbox',
      '--lang=en-US',
    ],
    headless: true,
  });
  const complaints: string[] = [];
  const contexts: BrowserContext[] = [];

  const open = async (width: number, height: number): Promise<Page> => {
    const context = await browser.newContext({ viewport: { width, height }, locale: 'en-US' });
    context.setDefaultTimeout(PATIENCE_MS);
    contexts.push(context);
    if (initScript !== undefined) await context.addInitScript({ path: initScript });
    const page = await context.newPage();
    page.on('pageerror', ({ message }) => complaints.push(`script: ${message}`));
    page.on('console', (message) => {
      // A connection that is cut is a matter of the tests that cut it.
      if (message.type() === 'error' && !/WebSocket|ERR_CONNECTION|Failed to load resource/.test(message.text()))
        complaints.push(`console: ${message.text()}`);
    });
    page.on('request', (request) => {
      const { hostname, protocol } = new URL(request.url());
      if (/^(https?|wss?):$/.test(protocol) && hostname !== '127.0.0.1') complaints.push(`request to ${request.url()}`);
    });
    return page;
  };

  return {
    complaints,
    visit: async (
      service,
      applicationId,
      { path, token = service.masterKey, theme = 'light', width = 1440, height = 900 },
    ) => {
      const page = await open(width, height);
      await page.addInitScript(
        ([key, chosen]) => {
          if (sessionStorage.getItem('posthorn.token') === null) sessionStorage.setItem('posthorn.token', key);
          localStorage.setItem('posthorn.theme', chosen);
        },
        [token, theme] as const,
      );
      await page.goto(`${service.address}/${applicationId}/${path}`);
      await page.locator('main h1').waitFor();
      return page;
    },
    stranger: () => open(1440, 900),
    close: async () => {
      for (const context of contexts) await context.close();
      await browser.close();
    },
  };
};

/** Waits until nothing of the page is still being read. */
export const isSettled = async (page: Page): Promise<void> => {
  await page.locator('main h1').waitFor();
  await expect.poll(() => page.locator('.loading').count(), { timeout: PATIENCE_MS }).toBe(0);
};

/** No page is wider than its screen; charts take a moment to follow when it became narrower. */
export const expectToFit = async (page: Page): Promise<void> => {
  const widths = () => page.evaluate<number[]>('[document.documentElement.scrollWidth, innerWidth]');
  await eventually(async () => {
    const [scroll = 0, inner = 0] = await widths();
    expect(scroll, `${page.url()} is wider than its screen`).toBeLessThanOrEqual(inner);
  });
};
