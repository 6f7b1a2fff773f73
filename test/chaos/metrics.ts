import { request } from 'undici';

/** The numbers of a process's `/metrics` by name, summed over their labels: 0 when one is not there, NaN when there is no answer. */
export const readMetrics = async (url: string): Promise<(name: string) => number> => {
  const text = await request(`${url}/metrics`, { headersTimeout: 5_000 }).then(
    ({ body }) => body.text(),
    () => undefined,
  );
  if (text === undefined) return () => Number.NaN;
  const lines = text.split('\n');
  return (name) =>
    lines
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
};

export const metricOf = async (url: string, name: string): Promise<number> => (await readMetrics(url))(name);
