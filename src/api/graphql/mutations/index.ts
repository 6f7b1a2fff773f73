import type { CallRest } from '../rest.ts';
import type { Fields } from '../schema.ts';
import { eventTypeMutations, eventTypeSchemaMutations } from './event-type.ts';
import { identityMutations } from './identity.ts';
import { organizationMutations, secretMutations } from './organization.ts';
import { deliveryMutations, eventMutations } from './sending.ts';
import { subscriptionMutations } from './subscription.ts';

/** Every command, as the REST operation that carries it out. */
export const mutationFields = (rest: CallRest): Fields => ({
  Mutation: {
    ...organizationMutations(rest),
    ...secretMutations(rest),
    ...eventTypeMutations(rest),
    ...eventTypeSchemaMutations(rest),
    ...subscriptionMutations(rest),
    ...eventMutations(rest),
    ...deliveryMutations(rest),
    ...identityMutations(rest),
  },
});
