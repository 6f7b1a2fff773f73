import { allInOne } from './all-in-one.ts';
import { apiKill } from './api-kill.ts';
import { blackhole, deadConnections, loneBlackhole } from './blackhole.ts';
import { commitCut } from './commit-cut.ts';
import { connectionReset } from './connection-reset.ts';
import { disable } from './disable.ts';
import { onlyWorkerKill } from './only-worker-kill.ts';
import { postgresKill } from './postgres-kill.ts';
import { projectorKill } from './projector-kill.ts';
import type { Scenario } from './scenario.ts';
import { shutdown } from './shutdown.ts';
import { takeOverCut } from './take-over-cut.ts';
import { workerKill } from './worker-kill.ts';
import { workerStop } from './worker-stop.ts';

export type { Scenario } from './scenario.ts';

export const scenarios: readonly Scenario[] = [
  apiKill,
  workerKill,
  onlyWorkerKill,
  postgresKill,
  workerStop,
  connectionReset,
  commitCut,
  takeOverCut,
  blackhole,
  deadConnections,
  loneBlackhole,
  shutdown,
  allInOne,
  disable,
  projectorKill,
];
