import { performance } from 'node:perf_hooks';
import { attenuate } from '#src/tokens/attenuate.ts';
import { openEnvelope } from '#src/tokens/envelope.ts';
import { passGate } from '#src/tokens/gate.ts';
import { inspect } from '#src/tokens/inspect.ts';
import { TokenRefused } from '#src/tokens/refused.ts';
import { queriesOf, stepsOf } from '#src/tokens/steps.ts';
import { mostFacts } from '#src/tokens/vocabulary.ts';
import { hostileTokens, laboriousTokens } from '#test/tokens/hostile.ts';
import { APPLICATION, ingest, later, NOW, serviceToken, tokens, userClaims } from '#test/tokens/support.ts';

/**
 * What tokens cost, and how long hostile ones keep the event loop busy (the longest of several rounds each):
 * `node --expose-gc --disable-warning=ExperimentalWarning bench/tokens.ts`; without `--expose-gc`, memory counts what is not
 * collected yet.
 */
const ROUNDS = 5;

const decide = (token: string): string => {
  try {
    const decision = tokens.permits(tokens.verify(token, NOW), ingest);
    return decision.allowed ? 'allowed' : `refused by ${decision.because}`;
  } catch (error) {
    if (error instanceof TokenRefused) return `refused: ${error.message.slice(0, 90)}`;
    throw error;
  }
};

/** What the gate reckons with at most; `-` for what it refuses. */
const stepsIn = (token: string): string => {
  try {
    const blocks = passGate(openEnvelope(token));
    return String(stepsOf(queriesOf(blocks), mostFacts(blocks[0]?.facts ?? [])));
  } catch (error) {
    if (error instanceof TokenRefused) return '-';
    throw error;
  }
};

const measure = (name: string, work: () => void, times = 3_000): void => {
  for (let round = 0; round < times / 10; round += 1) work();
  const start = performance.now();
  for (let round = 0; round < times; round += 1) work();
  const microseconds = ((performance.now() - start) / times) * 1_000;
  process.stdout.write(`${microseconds.toFixed(1).padStart(8)} us  ${name}\n`);
};

const plain = serviceToken();
const user = tokens.mintUserAccess(userClaims).token;
const restricted = attenuate(serviceToken(), {
  applicationId: APPLICATION,
  actions: ['event:ingest'],
  expiresAt: later(60),
});
const verified = { user: tokens.verify(user, NOW), restricted: tokens.verify(restricted, NOW) };
measure('mint a service token', () => serviceToken());
measure('mint and seal a user token', () => tokens.mintUserAccess(userClaims));
measure('verify a service token', () => tokens.verify(plain, NOW));
measure('verify a user token', () => tokens.verify(user, NOW));
measure('verify an attenuated token', () => tokens.verify(restricted, NOW));
measure('permits, without restrictions', () => tokens.permits(verified.user, ingest), 100_000);
measure('permits, attenuated', () => tokens.permits(verified.restricted, ingest));
measure('permits, attenuated, and refused', () =>
  tokens.permits(verified.restricted, { ...ingest, action: 'event:get' }),
);
measure('attenuate', () => attenuate(restricted, { applicationId: APPLICATION }), 500);

/** Of the whole process: what a library keeps for itself shows nowhere else. */
const rssAfterCollection = (): number => {
  globalThis.gc?.();
  return process.memoryUsage.rss() / 1_048_576;
};

const grow = (name: string, work: () => void, times = 20_000): void => {
  for (let round = 0; round < times / 10; round += 1) work();
  const before = rssAfterCollection();
  for (let round = 0; round < times; round += 1) work();
  const grown = rssAfterCollection() - before;
  process.stdout.write(`${grown.toFixed(1).padStart(8)} MB more after ${times} x ${name}\n`);
};

grow('verify and permits, attenuated', () => tokens.permits(tokens.verify(restricted, NOW), ingest));
grow('verify a service token', () => tokens.verify(plain, NOW));
grow('verify a user token', () => tokens.verify(user, NOW));
grow('mint a user token', () => tokens.mintUserAccess(userClaims));
grow('attenuate, by the library', () => attenuate(plain, { applicationId: APPLICATION }), 1_000);
grow('inspect', () => inspect(restricted), 1_000);

const service = serviceToken();
for (const { name, token } of [...hostileTokens(service), ...laboriousTokens(service)]) {
  let longest = 0;
  let outcome = '';
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    outcome = decide(token);
    longest = Math.max(longest, performance.now() - start);
  }
  const began = performance.now();
  try {
    inspect(token);
  } catch {
    // Some are no tokens at all.
  }
  const inspected = performance.now() - began;
  process.stdout.write(
    `${stepsIn(token).padStart(6)} steps ${longest.toFixed(2).padStart(8)} ms  ${inspected.toFixed(1).padStart(6)} ms inspect  ${name.padEnd(40)} ${token.length} characters, ${outcome}\n`,
  );
}
