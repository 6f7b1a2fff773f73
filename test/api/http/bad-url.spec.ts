import { expect, it } from 'vitest';
import { startTestService } from '#test/support/service.ts';

it('what the router itself refuses has the headers of every answer', async () => {
  const service = await startTestService();
  const { status, headers, json } = await service.call('//%zz', { token: null });
  expect([status, json.id]).toEqual([400, 'MalformedRequest']);
  expect(headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'x-request-id': json.request_id,
  });
  await service.stop();
});
