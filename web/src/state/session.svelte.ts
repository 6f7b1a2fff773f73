/** Who is signed in: a bearer token, kept for as long as the tab lives, and in no URL. */
const KEY = 'posthorn.token';

class Session {
  token = $state<string | null>(sessionStorage.getItem(KEY));
  /** Why the last session ended, when it was not on purpose. */
  ended = $state<string | null>(null);

  begin(token: string): void {
    this.token = token;
    this.ended = null;
    sessionStorage.setItem(KEY, token);
  }

  end(reason: string | null = null): void {
    this.token = null;
    this.ended = reason;
    sessionStorage.removeItem(KEY);
  }
}

export const session = new Session();
