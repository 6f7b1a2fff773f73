import { statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Who runs the server: somebody else when we are root (Postgres refuses to run as root), ourselves otherwise. */
export type ServerUser = { readonly uid: number; readonly gid: number };

/** "nobody" and its group; initdb needs a uid with a passwd entry, and this one exists everywhere. */
const NOBODY: ServerUser = { uid: 65534, gid: 65534 };

/** As root the owner of an existing data directory goes on with it, so that a change of user needs no chown. */
export const chooseServerUser = (pgData: string, self: ServerUser): ServerUser => {
  if (self.uid !== 0) return self;
  const stat = statSync(pgData, { throwIfNoEntry: false });
  return stat === undefined || stat.uid === 0 ? NOBODY : { uid: stat.uid, gid: stat.gid };
};

export const currentUser = (): ServerUser => ({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });

/** The first directory, seen from the root, that keeps the user out of `path`; undefined when the way is free. */
export const findBarrier = (path: string, { uid, gid }: ServerUser): string | undefined => {
  const above = dirname(path) === path ? undefined : findBarrier(dirname(path), { uid, gid });
  if (above !== undefined) return above;
  const { mode, uid: owner, gid: group } = statSync(path);
  const execute = owner === uid ? 0o100 : group === gid ? 0o010 : 0o001;
  return (mode & execute) === 0 ? path : undefined;
};
