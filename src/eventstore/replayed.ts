import { Client } from 'pg';

const FIND = 'SELECT finished_at FROM replayed_log';

/** A database that holds a replayed log, where only an audit may look. */
export class ReplayedDatabase extends Error {
  constructor(isFinished: boolean) {
    super(
      `This database holds a log replayed for an audit${isFinished ? '' : ' (unfinished)'}: no process runs on it, so that nothing is delivered twice. Look at it with SQL, \`posthorn audit verify\` and \`posthorn projections\`, or give another DATABASE_URL.`,
    );
    this.name = 'ReplayedDatabase';
  }
}

/** Throws {@link ReplayedDatabase} when the database is one; to be asked before any role of a process begins. */
export const refuseReplayed = async (url: string): Promise<void> => {
  const client = new Client({ connectionString: url, options: '-c role=posthorn_app' });
  await client.connect();
  try {
    const { rows } = await client.query<{ finished_at: Date | null }>(FIND);
    if (rows[0]) throw new ReplayedDatabase(rows[0].finished_at !== null);
  } finally {
    await client.end();
  }
};
