import { performance } from 'node:perf_hooks';
import { openEnvelope } from '#src/tokens/envelope.ts';
import { passGate } from '#src/tokens/gate.ts';
import { inspect } from '#src/tokens/inspect.ts';
import { TokenRefused } from '#src/tokens/refused.ts';
import { queriesOf, stepsOf } from '#src/tokens/steps.ts';
import { mostFacts } from '#src/tokens/vocabulary.ts';
import { hostileTokens, laboriousTokens } from '#test/tokens/hostile.ts';
import { ingest, NOW, serviceToken, tokens } from '#test/tokens/support.ts';

/** How long hostile tokens keep the event loop busy: `node bench/hostile-tokens.ts`; the longest of several rounds each. */
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

tokens.warmUp();
const service = serviceToken();
for (const { name, token } of [...hostileTokens(service), ...laboriousTokens(service)]) {
  let longest = 0;
  let outcome = '';
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    outcome = decide(token);
    longest = Math.max(longest, performance.now() - start);
  }
  const start = performance.now();
  try {
    inspect(token);
  } catch {
    // Some are no tokens at all.
  }
  const inspected = performance.now() - start;
  process.stdout.write(
    `${stepsIn(token).padStart(6)} steps ${longest.toFixed(2).padStart(8)} ms  ${inspected.toFixed(1).padStart(6)} ms inspect  ${name.padEnd(40)} ${token.length} characters, ${outcome}\n`,
  );
}
