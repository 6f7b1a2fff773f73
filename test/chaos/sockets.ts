import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Fields of a line of /proc/net/tcp (proc(5)), counted from 0. */
const LOCAL_ADDRESS = 1;
const REMOTE_ADDRESS = 2;
const INODE = 9;

const portOf = (address: string | undefined): number => Number.parseInt(address?.split(':')[1] ?? '', 16);

/** Local ports from which a process is connected to some ports; undefined where the kernel does not tell (not Linux). */
export const portsTowards = (pid: number, remotePorts: ReadonlySet<number>): ReadonlySet<number> | undefined => {
  try {
    const inodes = new Set(
      readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
        try {
          return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1] ?? [];
        } catch {
          return []; // Closed meanwhile.
        }
      }),
    );
    const lines = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').split('\n').slice(1);
    return new Set(
      lines
        .map((line) => line.trim().split(/\s+/))
        .filter((fields) => inodes.has(fields[INODE] ?? '') && remotePorts.has(portOf(fields[REMOTE_ADDRESS])))
        .map((fields) => portOf(fields[LOCAL_ADDRESS])),
    );
  } catch {
    return undefined;
  }
};
