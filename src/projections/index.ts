import { inlineProjections } from './configuration/projections.ts';
import { deadLetterProjection } from './dead-letter/projection.ts';
import { deliveryProjection } from './delivery/projection.ts';
import { eventProjection } from './event/projection.ts';
import type { Projection } from './projection.ts';
import { requestAttemptProjection } from './request-attempt/projection.ts';
import { trafficProjection } from './traffic/projection.ts';

/** Read models that follow the log. */
export const asyncProjections: readonly Projection[] = [
  eventProjection,
  deliveryProjection,
  requestAttemptProjection,
  deadLetterProjection,
  trafficProjection,
];

/** All read models. */
export const allProjections: readonly Projection[] = [...inlineProjections, ...asyncProjections];
