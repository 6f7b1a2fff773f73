/** A state is always told by colour, mark and word together. */
export type Tone = 'ok' | 'warn' | 'bad' | 'dead' | 'idle';
export type Mark = 'tick' | 'loop' | 'cross' | 'square' | 'ring' | 'bar';
export type Status = { readonly word: string; readonly tone: Tone; readonly mark: Mark };

const STATUSES: Readonly<Record<string, Status>> = {
  SUCCEEDED: { word: 'Delivered', tone: 'ok', mark: 'tick' },
  PENDING: { word: 'Pending', tone: 'idle', mark: 'ring' },
  IN_PROGRESS: { word: 'In progress', tone: 'idle', mark: 'ring' },
  WAITING: { word: 'Retrying', tone: 'warn', mark: 'loop' },
  FAILED: { word: 'Failed', tone: 'bad', mark: 'cross' },
  TIMEOUT: { word: 'Timed out', tone: 'bad', mark: 'cross' },
  DEAD_LETTERED: { word: 'Dead letter', tone: 'dead', mark: 'square' },
  CANCELLED: { word: 'Cancelled', tone: 'idle', mark: 'bar' },
};

export const statusOf = (status: string): Status =>
  STATUSES[status] ?? { word: status.toLowerCase(), tone: 'idle', mark: 'ring' };
