import type { Pool } from 'pg';
import { genesisHash } from '../eventstore/chain.ts';
import { createChainCheck } from '../eventstore/chain-check.ts';
import { readInstance } from '../eventstore/initialise.ts';
import { readChain } from '../eventstore/read-chain.ts';
import { faultAt, type LogSource } from './log-source.ts';

const READ_HEADS = 'SELECT partition_no, position::float8 AS position FROM log_head ORDER BY partition_no';

/** The log of a running or stopped Posthorn, up to where it stands now. */
export const databaseSource = async (db: Pick<Pool, 'query'>): Promise<LogSource> => {
  const { instanceId } = await readInstance(db);
  const { rows } = await db.query<{ partition_no: number; position: number }>(READ_HEADS);
  const upTo = new Map(rows.map(({ partition_no, position }) => [partition_no, position]));
  return {
    instanceId,
    upTo,
    blocks: async function* ({ after, isOver }) {
      for (const [partition, last] of upTo) {
        const { position, hash } = after.get(partition) ?? { position: 0, hash: genesisHash(instanceId, partition) };
        const check = createChainCheck({ partition, after: position, previousHash: hash });
        for await (const batch of readChain(db, partition, position, last)) {
          for (const event of batch) {
            const step = check.add(event);
            if (step.kind === 'fault') throw faultAt(partition, step.fault.position, step.fault.what);
            if (step.kind === 'block') yield step.block;
          }
          if (isOver(partition)) break;
        }
        const fault = isOver(partition) ? undefined : check.end(last);
        if (fault) throw faultAt(partition, fault.position, fault.what);
      }
    },
  };
};
