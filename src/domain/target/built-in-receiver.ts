/**
 * Each worker answers requests to this host itself, without a connection to anywhere, so that webhooks can be tried out
 * without a public address. `.internal` is reserved for private use (ICANN, 2024): no public name can ever be meant.
 */
export const BUILT_IN_RECEIVER_HOST = 'receiver.posthorn.internal';
export const BUILT_IN_RECEIVER_ORIGIN = `http://${BUILT_IN_RECEIVER_HOST}`;
/** Answers every request with 200. */
export const BUILT_IN_RECEIVER_URL = `${BUILT_IN_RECEIVER_ORIGIN}/ok`;
