import { request } from 'undici';

/** One number of a process's `/metrics`, summed over its labels; 0 when it is not there, NaN when there is no answer. */
export const metricOf = async (url: string, name: string): Promise<number> => {
  const text = await request(`${url}/metrics`, { headersTimeout: 5_000 }).then(
    ({ body }) => body.text(),
    () => undefined,
  );
  if (text === undefined) return Number.NaN;
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
};
