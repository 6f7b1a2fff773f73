/** Addresses are compared without regard to case and to how their accents are composed. */
export const emailKeyOf = (email: string): string => email.normalize('NFC').trim().toLowerCase();
