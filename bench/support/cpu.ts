import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts CPU time in ticks of 10 ms (`getconf CLK_TCK`). */
const TICK_MS = 10;

const statOf = (pid: number): { name: string; parent: number; cpuMs: number } | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = text.lastIndexOf(')');
    const fields = text.slice(end + 2).split(' ');
    return {
      name: text.slice(text.indexOf('(') + 1, end),
      parent: Number(fields[1]),
      cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
    };
  } catch {
    return undefined; // It has ended meanwhile.
  }
};

/** CPU time of one process, all its threads, in milliseconds. */
export const cpuOfProcess = (pid: number): number => statOf(pid)?.cpuMs ?? 0;

/** CPU time of a Postgres server: its postmaster and all processes that this one has started, in milliseconds. */
export const cpuOfPostgres = (postmaster: number): number =>
  readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .reduce((sum, entry) => {
      const stat = statOf(Number(entry));
      return stat && (stat.parent === postmaster || Number(entry) === postmaster) ? sum + stat.cpuMs : sum;
    }, 0);

/** Resident memory of a process in MiB. */
export const memoryOf = (pid: number): number => {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib ?? 0) / 1024;
};
