import Fastify from 'fastify';
import { expect, it } from 'vitest';
import { registerErrors } from '#src/api/http/errors.ts';
import { PasswordHashingBusy } from '#src/identity/hasher.ts';

it('whoever comes while too many passwords are checked is told when to come again', async () => {
  const app = Fastify();
  registerErrors(app);
  app.get('/', () => Promise.reject(new PasswordHashingBusy()));
  const answer = await app.inject('/');
  expect([answer.statusCode, answer.json().id, answer.headers['retry-after']]).toEqual([429, 'RateLimited', '5']);
  await app.close();
});
