export type TokenRefusal =
  | 'malformed'
  | 'too_big'
  | 'unknown_key'
  | 'signature'
  | 'gate'
  | 'expired'
  | 'sealed'
  | 'restriction';

/** A token that is not taken, or not made; the text is for whoever sent it and holds nothing of the token but names. */
export class TokenRefused extends Error {
  readonly reason: TokenRefusal;

  constructor(reason: TokenRefusal, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TokenRefused';
    this.reason = reason;
  }
}
