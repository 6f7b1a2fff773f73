/** What a page may load besides nothing, each from our own origin. */
export type Allowance = 'script' | 'style' | 'font' | 'img' | 'connect';

/**
 * The one Content-Security-Policy: files of our own origin as far as they are named, nothing inline, nothing from elsewhere, and no
 * page of others around it. `data` names what may also be a `data:` URL.
 */
export const contentSecurityPolicy = (
  allowed: readonly Allowance[] = [],
  { data = [] }: { readonly data?: readonly ('font' | 'img')[] } = {},
): string =>
  [
    "default-src 'none'",
    ...allowed.map((kind) => `${kind}-src 'self'${data.some((other) => other === kind) ? ' data:' : ''}`),
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');

/** For what a browser shows or runs: its policy, and a process and readers of its own origin alone. */
export const pageHeaders = (policy: string): Readonly<Record<string, string>> => ({
  'content-security-policy': policy,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
});
