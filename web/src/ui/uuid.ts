const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether a text from the address can name anything at all. */
export const isUuid = (text: string): boolean => UUID.test(text);

export const uuidOf = (text: string | null): string | null => (text !== null && isUuid(text) ? text : null);
