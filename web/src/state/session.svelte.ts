import type { Failure } from '../api/failure.ts';
import { fetchJson } from '../api/fetch.ts';
import { inTurn } from './turns.ts';

/** A key is kept for as long as the tab lives. What a person's session lives on, scripts never see: see `refresh`. */
const KEY = 'posthorn.token';
/** Says that this browser has a session, and whose; it opens nothing. Other tabs follow it. */
const SIGNED_IN = 'posthorn.signed-in';
/** A refresh token used twice ends its session, so tabs take turns. */
const TURN = 'posthorn.refresh';
const EARLY_MS = 30_000;
/** What a token's lifetime is taken for at least and at most: the clock of this browser may be wrong by more than one. */
const LIFETIME_MS_MIN = 60_000;
const LIFETIME_MS_MAX = 300_000;
const RETRY_MS = 5_000;
/** All other tabs wait for the one whose turn it is. */
const TIMEOUT_MS = 20_000;
/** The server could not say whether the session is good. */
const UNDECIDED: readonly string[] = ['Network', 'RateLimited', 'ServiceUnavailable', 'InternalServerError', 'Unknown'];

/** What the server answers to whoever signs in. */
export type SignedIn = {
  readonly access_token: string;
  readonly access_token_expiration: string;
  readonly user_id: string;
};

/** Who is signed in: somebody with a key, or a person whose access token lives in memory alone. */
class Session {
  token = $state<string | null>(sessionStorage.getItem(KEY));
  /** Null for whoever came with a key. */
  userId = $state<string | null>(null);
  /** The browser may still have a session, which is being looked for. */
  isResuming = $state(false);
  /** Why the last session ended, when it was not on purpose. */
  ended = $state<string | null>(null);
  #expiresAtMs = Number.POSITIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #refreshing: Promise<boolean> | undefined;
  #onrenewed: () => void = () => undefined;
  /** Fresh tokens go to the other tabs, so that one of them asks for all. Nothing of it is kept anywhere. */
  readonly #tabs = new BroadcastChannel('posthorn.session');

  constructor() {
    this.#tabs.addEventListener('message', ({ data }: MessageEvent<SignedIn>) => this.#adopt(data));
    addEventListener('storage', ({ key, newValue }) => {
      if (key === SIGNED_IN) this.#follow(newValue);
    });
    if (this.token === null && localStorage.getItem(SIGNED_IN) !== null) void this.#resume();
  }

  /** Told when a person's token was exchanged for a fresh one. */
  set onrenewed(listener: () => void) {
    this.#onrenewed = listener;
  }

  begin(key: string): void {
    this.#forget();
    this.token = key;
    this.ended = null;
    sessionStorage.setItem(KEY, key);
  }

  /**
   * Begins a person's session with what the request answers; throws its `Failure`. It takes its turn: a renewal of another session
   * that came in between would bring back the cookie of that one.
   */
  async signIn(request: () => Promise<SignedIn>): Promise<void> {
    await this.#refreshing;
    await inTurn(TURN, async () => this.#beginPerson(await request()));
  }

  #beginPerson(answer: SignedIn): void {
    this.#forget();
    this.#take(answer);
    this.ended = null;
    localStorage.setItem(SIGNED_IN, answer.user_id);
  }

  end(reason: string | null = null): void {
    if (this.userId !== null) localStorage.removeItem(SIGNED_IN);
    this.#forget();
    this.ended = reason;
  }

  /** Ends the session on the server, too. */
  async signOut(): Promise<void> {
    let reason: string | null = null;
    if (this.userId !== null)
      try {
        await this.whenFresh();
        await fetchJson('POST', '/auth/logout', { headers: { authorization: `Bearer ${this.token ?? ''}` } });
      } catch (error) {
        reason = `Signed out here, but the server does not know of it: ${(error as Failure).detail} The session ends by itself within twelve hours.`;
      }
    this.end(reason);
  }

  /** Waits until the token is good for a request, as far as the clock says. */
  async whenFresh(): Promise<void> {
    if (this.userId !== null && Date.now() > this.#expiresAtMs - EARLY_MS / 6) await this.refresh();
  }

  /**
   * Exchanges the cookie for another access token; false when there is none to be had. Once at a time in this tab and among tabs:
   * what another one got meanwhile will do.
   */
  refresh = (): Promise<boolean> => {
    const { token } = this;
    const isNew = (): boolean => this.token !== null && this.token !== token;
    this.#refreshing ??= inTurn(TURN, async () => isNew() || this.#refreshNow()).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  };

  async #refreshNow(): Promise<boolean> {
    try {
      // Kept alive: were the page left in between, the browser would miss the next cookie and show the spent one.
      const answer = await fetchJson<SignedIn>('POST', '/auth/refresh', {
        headers: { 'posthorn-csrf': '1' },
        keepalive: true,
        timeoutMs: TIMEOUT_MS,
      });
      this.#renew(answer);
      this.#tabs.postMessage(answer);
      return true;
    } catch (error) {
      if (UNDECIDED.includes((error as Failure).id)) this.#schedule(RETRY_MS);
      else {
        localStorage.removeItem(SIGNED_IN);
        this.#forget();
        this.ended = 'Your session is over. Sign in again.';
      }
      return false;
    }
  }

  async #resume(): Promise<void> {
    this.isResuming = true;
    await this.refresh();
    this.isResuming = false;
  }

  #renew(answer: SignedIn): void {
    const wasSignedIn = this.token !== null;
    this.#take(answer);
    if (wasSignedIn) this.#onrenewed();
  }

  /** Another tab has a fresh token, of the person who is signed in here or is being looked for. */
  #adopt(answer: SignedIn): void {
    const known = this.token === null ? localStorage.getItem(SIGNED_IN) : this.userId;
    if (known === answer.user_id) this.#renew(answer);
  }

  /** Another tab signed somebody in or out. */
  #follow(userId: string | null): void {
    if (this.userId !== null && userId !== this.userId) {
      this.#forget();
      this.ended = userId === null ? 'You signed out in another tab.' : 'Somebody else signed in in another tab.';
    } else if (this.token === null && userId !== null) void this.#resume();
  }

  #take({ access_token: token, access_token_expiration: expiration, user_id: userId }: SignedIn): void {
    this.token = token;
    this.userId = userId;
    const lifetimeMs = Math.min(
      LIFETIME_MS_MAX,
      Math.max(LIFETIME_MS_MIN, new Date(expiration).getTime() - Date.now()),
    );
    this.#expiresAtMs = Date.now() + lifetimeMs;
    this.#schedule(lifetimeMs - EARLY_MS);
  }

  #schedule(inMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), Math.max(0, inMs));
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.token = null;
    this.userId = null;
    this.#expiresAtMs = Number.POSITIVE_INFINITY;
    sessionStorage.removeItem(KEY);
  }
}

export const session = new Session();
