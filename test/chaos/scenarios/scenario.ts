import type { Rig, RigOptions } from '../rig.ts';

export type Size = { readonly short: boolean };

export type Scenario = Pick<RigOptions, 'subscriptions' | 'origins' | 'env' | 'isEmbedded'> & {
  readonly name: string;
  readonly title: string;
  /** Part of `--short`, too. */
  readonly isShort: boolean;
  /** Breaks things while events go through; what is owed then is waited for and checked by the runner. */
  readonly run: (rig: Rig, size: Size) => Promise<void>;
};
