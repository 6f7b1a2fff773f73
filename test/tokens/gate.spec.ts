import { describe, expect, it } from 'vitest';
import { openEnvelope } from '#src/tokens/envelope.ts';
import { passGate } from '#src/tokens/gate.ts';
import { LIMITS } from '#src/tokens/limits.ts';
import { TokenRefused } from '#src/tokens/refused.ts';
import { queriesOf, stepsOf } from '#src/tokens/steps.ts';
import { mostFacts } from '#src/tokens/vocabulary.ts';
import { hostileTokens, laboriousTokens } from './hostile.ts';
import { APPLICATION, append, ingest, NOW, serviceToken, tokens } from './support.ts';

const service = serviceToken();

describe('the gate', () => {
  it.each(hostileTokens(service))('refuses $name unevaluated', ({ token }) => {
    expect(() => passGate(openEnvelope(token))).toThrow(TokenRefused);
    expect(() => tokens.verify(token, NOW)).toThrow(TokenRefused);
  });

  it.each(laboriousTokens(service))('lets $name through, to be decided in a bounded number of steps', ({ token }) => {
    const blocks = passGate(openEnvelope(token));
    expect(stepsOf(queriesOf(blocks), mostFacts(blocks[0]?.facts ?? []))).toBeLessThanOrEqual(LIMITS.steps);
    expect(tokens.permits(tokens.verify(token, NOW), ingest)).toMatchObject({ allowed: expect.any(Boolean) });
  });

  it('refuses joins that together take too many steps, though each is narrow', () => {
    const query = 'check if allowed_role($a), allowed_role($b), allowed_role($c);';
    const join = append(append(append(service, query.repeat(10)), query.repeat(10)), query.repeat(10));
    expect(() => tokens.verify(join, NOW)).toThrow(/steps/);
  });

  it.each([
    `check if application_id("${APPLICATION}")`,
    'check if action("event:ingest") or action("event:get")',
    'check if action($a), ["event:ingest", "event:get"].contains($a)',
    'check if action($a), {"event:ingest", "event:get"}.contains($a)',
    'check if action($a), $a.starts_with("event:") && ($a.ends_with(":ingest") || $a == "event:get")',
    'check if time($t), $t > 2026-01-01T00:00:00Z, $t <= 2027-01-01T00:00:00Z',
    'check if event_type_names($n), $n.length() > 0, {"order.paid", "order.sent"}.contains($n)',
    'check if labels($l), $l.get("shop") === "berlin"',
    'check if allowed_role("editor"), organization_id($o), !($o != $o)',
    'reject if subscription_id($s)',
  ])('lets an ordinary restriction through: %s', (datalog) => {
    const token = append(append(service, datalog), datalog);
    expect(tokens.permits(tokens.verify(token, NOW), ingest)).toEqual({ allowed: true });
  });
});
