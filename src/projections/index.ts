import { configurationProjections } from './configuration/projections.ts';
import type { Projection } from './projection.ts';

/** Read models that follow the log. */
export const asyncProjections: readonly Projection[] = [];

/** All read models. */
export const allProjections: readonly Projection[] = [...configurationProjections, ...asyncProjections];
