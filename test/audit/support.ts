import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { makeHeader, writeExport } from '#src/audit/export.ts';
import type { Asked } from '#src/audit/format.ts';
import { LogFault } from '#src/audit/log-source.ts';
import { type ExportSummary, openExport, type ReadOptions } from '#src/audit/read-export.ts';
import { whpkOf } from '#src/domain/signature/keys.ts';
import { publicKeysOf } from '#src/eventstore/signed-heads.ts';
import {
  applicationCreated,
  applicationRenamed,
  applicationSecretCreated,
  attemptFailed,
  attemptScheduled,
  deliveredEvent,
  deliveryCancelled,
  deliveryDeadLettered,
  eventOf,
  eventTypeCreated,
  eventTypeSchemaAdded,
  idOf,
  organizationCreated,
  subscriptionCreated,
  subscriptionDisabled,
  subscriptionReplaced,
  type TestLog,
} from '#test/support/builders.ts';

export const KEY = { id: 'one', key: createHash('sha256').update('a signing key').digest() };
export const PUBLIC_KEYS = [...publicKeysOf([KEY])].map(([key_id, key]) => ({ key_id, public_key: whpkOf(key) }));
export const ALL: Asked = { partitions: [], from: [], to: [], until: null };

/** Something for every read model, over several log partitions, in several blocks each. */
export const fillLog = async (log: TestLog, events: number): Promise<void> => {
  await log.append(organizationCreated({ name: 'Bär & "Söhne"\n\u2028' }));
  const organizationId = idOf('organization');
  const at = '2026-03-01T10:00:00.000Z';
  const invitationId = idOf('invitation');
  const tokenId = idOf('token');
  const token = { tokenId, organizationId };
  await log.append(
    { type: 'MemberInvited', data: { organizationId, invitationId, role: 'viewer', invitedAt: at } },
    {
      type: 'MemberAdded',
      data: { organizationId, userId: idOf('user'), role: 'owner', invitationId: null, addedAt: at },
    },
  );
  await log.append(
    { type: 'ServiceTokenCreated', data: { ...token, name: 'ci', revocationId: 'ab', createdAt: at } },
    { type: 'ServiceTokenBlockRevoked', data: { ...token, revocationId: 'cd', revokedAt: at } },
  );
  await log.append({ type: 'PlanDefined', data: { name: 'pro', label: 'Pro', limits: { members: 5 }, definedAt: at } });
  await log.append({ type: 'OrganizationQuotasSet', data: { organizationId, plan: 'pro', limits: {}, setAt: at } });
  const refused = { actor: 'user:one', organizationId, action: 'organization:edit', problem: 'Forbidden', count: 2 };
  await log.append({ type: 'AccessRefused', data: { ...refused, ips: ['203.0.113.7'], firstAt: at, lastAt: at } });
  await log.append(applicationCreated(), applicationSecretCreated());
  await log.append(eventTypeCreated(), eventTypeSchemaAdded());
  await log.append(subscriptionCreated());
  for (let index = 0; index < events; index += 1) {
    const { delivery, attempt } = eventOf(`${index}`, { subscription: idOf(`subscription ${index % 3}`) });
    if (index % 5 === 3) await log.append(attemptScheduled(attempt(1)), deliveryCancelled(delivery));
    else if (index % 5 === 4)
      await log.append(attemptScheduled(attempt(1)), attemptFailed(attempt(1)), deliveryDeadLettered(delivery));
    else await log.append(...deliveredEvent(`${index}`));
    if (index === Math.floor(events / 2)) await log.append(subscriptionReplaced(), applicationRenamed());
  }
  await log.append(subscriptionDisabled());
};

/** The whole text of an export. */
export const exportText = async (log: TestLog, asked: Asked = ALL): Promise<string> => {
  const pieces: Buffer[] = [];
  const header = await makeHeader(log.pool, { asked, version: '1.2.3', publicKeys: PUBLIC_KEYS });
  await writeExport(log.pool, { header }, async (bytes) => void pieces.push(bytes));
  return Buffer.concat(pieces).toString();
};

export const verifyFile = async (path: string, options: ReadOptions = {}): Promise<ExportSummary> => {
  const reader = await openExport(path, options);
  for await (const _block of reader.blocks());
  return reader.summary();
};

/** What is found in a file with this content; undefined when nothing is. */
export const faultIn = async (path: string, content: string | Buffer): Promise<LogFault | undefined> => {
  await writeFile(path, content);
  try {
    await verifyFile(path);
    return undefined;
  } catch (error) {
    if (error instanceof LogFault) return error;
    throw error;
  }
};
