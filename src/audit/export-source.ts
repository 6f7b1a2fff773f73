import type { LogSource } from './log-source.ts';
import { openExport, type ReadOptions } from './read-export.ts';

/** An exported file as a log to be replayed; throws unless it holds every log partition from position 1. */
export const exportSource = async (path: string, options: ReadOptions = {}): Promise<LogSource> => {
  const { header, blocks, summary } = await openExport(path, options);
  const { partitions, log_partitions: count, instance_id: instanceId } = header;
  if (partitions.length !== count || partitions.some(({ first }) => first !== 1))
    throw new Error(
      `${path} holds a part of the log; read models follow from the whole of it, so export all partitions from the beginning.`,
    );
  return {
    instanceId,
    upTo: new Map(partitions.map(({ partition, last }) => [partition, last])),
    blocks: async function* () {
      yield* blocks();
      const [finding] = (await summary()).checkpointFindings;
      if (finding !== undefined) throw new Error(finding);
    },
  };
};
