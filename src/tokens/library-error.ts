import { z } from 'zod';

/** biscuit-wasm throws its errors as plain values; these are the ones that are told apart. */

const failedChecks = z.object({
  FailedLogic: z.object({
    Unauthorized: z.object({
      checks: z.array(
        z.union([
          z.object({ Block: z.object({ rule: z.string() }) }).transform(({ Block }) => Block.rule),
          z.object({ Authorizer: z.object({ rule: z.string() }) }).transform(({ Authorizer }) => Authorizer.rule),
        ]),
      ),
    }),
  }),
});
const runLimit = z.object({ RunLimit: z.unknown() });
const execution = z.object({ Execution: z.unknown() });
const signature = z.object({ Format: z.object({ Signature: z.unknown() }) });

export const failedChecksOf = (error: unknown): readonly string[] | undefined =>
  failedChecks.safeParse(error).data?.FailedLogic.Unauthorized.checks;

export const isRunLimit = (error: unknown): boolean => runLimit.safeParse(error).success;
/** A check that compares what cannot be compared, or overflows. */
export const isExecutionError = (error: unknown): boolean => execution.safeParse(error).success;
export const isSignatureError = (error: unknown): boolean => signature.safeParse(error).success;

/** For people: names of errors and what they carry. */
export const textOfError = (error: unknown): string =>
  error instanceof Error ? error.message : (JSON.stringify(error) ?? String(error));
