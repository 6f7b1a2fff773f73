/**
 * Key of an event's metadata that marks a test: the value is the subscription it was made for, the only one that gets it,
 * also when it is replayed.
 */
export const TEST_METADATA = 'posthorn_test';

/** The subscription that a test is for; undefined for every other event. */
export const testedSubscriptionOf = ({
  metadata,
}: {
  readonly metadata: Readonly<Record<string, string>>;
}): string | undefined => metadata[TEST_METADATA];
