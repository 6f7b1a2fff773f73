/** What a mail tells, and all its template needs. Links to tokens are made when it is sent: none is kept. */
export type MailContent =
  | {
      readonly template: 'verify_email' | 'reset_password';
      readonly firstName: string;
      readonly userId: string;
      readonly tokenId: string;
      /** ISO instants of the token. */
      readonly createdAt: string;
      readonly expiresAt: string;
    }
  | { readonly template: 'welcome'; readonly firstName: string }
  | {
      readonly template: 'invitation';
      readonly organization: string;
      readonly role: string;
      readonly email: string;
      readonly hasAccount: boolean;
    }
  | { readonly template: 'password_changed'; readonly firstName: string }
  | {
      readonly template: 'quota';
      readonly organization: string;
      readonly what: string;
      readonly level: 'warning' | 'reached';
      readonly used: number;
      readonly limit: number;
    }
  | {
      readonly template: 'endpoint_disabled';
      readonly organization: string;
      readonly application: string;
      readonly url: string;
      readonly reason: string;
      readonly subscriptionId: string;
    };

/** A mail as it goes out. */
export type Mail = { readonly subject: string; readonly text: string; readonly html: string };

type Parts = {
  readonly subject: string;
  readonly lines: readonly string[];
  readonly link?: { readonly label: string; readonly url: string };
  readonly after?: readonly string[];
};

/** The address of a page of the dashboard; a token goes into the fragment, which no server and no log gets to see. */
export type PageUrl = (path: string, token?: string) => string;

/** Writes a mail; `token` is the signed token that the content names, where it names one. */
export const renderMail = (content: MailContent, pageUrl: PageUrl, token?: string): Mail => {
  const { subject, lines, link, after = [] } = partsOf(content, pageUrl, token);
  const text = [...lines, ...(link ? [`${link.label}:`, link.url] : []), ...after].join('\n\n');
  const html = [
    ...lines.map(paragraph),
    ...(link
      ? [
          `<p><a href="${escapeHtml(link.url)}" style="background:#1f3a5f;color:#ffffff;padding:10px 18px;border-radius:6px;text-decoration:none;display:inline-block">${escapeHtml(link.label)}</a></p>`,
          `<p style="color:#5b6470;font-size:13px">${escapeHtml(link.url)}</p>`,
        ]
      : []),
    ...after.map(paragraph),
  ].join('\n');
  return { subject, text: `${text}\n`, html: page(subject, html) };
};

const partsOf = (content: MailContent, pageUrl: PageUrl, token?: string): Parts => {
  switch (content.template) {
    case 'verify_email':
      return {
        subject: 'Verify your mail address',
        lines: [greeting(content), 'please verify that this mail address is yours. The link is good for 24 hours.'],
        link: { label: 'Verify the address', url: pageUrl('/verify-email', token) },
        after: ['If you have not registered, you need do nothing.'],
      };
    case 'reset_password':
      return {
        subject: 'Choose a new password',
        lines: [
          greeting(content),
          'somebody asked for a new password for your account. The link works once, within 30 minutes.',
        ],
        link: { label: 'Choose a new password', url: pageUrl('/reset-password', token) },
        after: ['If it was not you, you need do nothing: the old password goes on.'],
      };
    case 'welcome':
      return {
        subject: 'Welcome to Posthorn',
        lines: [greeting(content), 'your mail address is verified. You can send the first webhook now.'],
        link: { label: 'Open the dashboard', url: pageUrl('/') },
      };
    case 'invitation':
      return {
        subject: `You are invited to ${oneLine(content.organization)}`,
        lines: [
          'Hello,',
          content.hasAccount
            ? `you are now ${content.role} of the organization “${content.organization}”.`
            : `you are invited to the organization “${content.organization}” as ${content.role}. Register with this mail address, and you belong to it as soon as the address is verified.`,
        ],
        link: content.hasAccount
          ? { label: 'Open the dashboard', url: pageUrl('/') }
          : { label: 'Register', url: pageUrl('/register', content.email) },
      };
    case 'password_changed':
      return {
        subject: 'Your password was changed',
        lines: [greeting(content), 'the password of your account was changed, and you were signed out everywhere.'],
        link: { label: 'It was not me', url: pageUrl('/forgot-password') },
      };
    case 'quota':
      return {
        subject:
          content.level === 'reached'
            ? `${oneLine(content.organization)}: ${content.what} used up`
            : `${oneLine(content.organization)}: ${content.what} at ${Math.floor((content.used / Math.max(1, content.limit)) * 100)} %`,
        lines: [
          'Hello,',
          `the organization “${content.organization}” has used ${content.used} of ${content.limit} ${content.what}.`,
          content.level === 'reached'
            ? 'What goes beyond is refused with status 429.'
            : 'When all of it is used, what goes beyond is refused with status 429.',
        ],
        link: { label: 'Look at the quotas', url: pageUrl('/') },
      };
    case 'endpoint_disabled':
      return {
        subject: `A subscription of ${oneLine(content.application)} was disabled`,
        lines: [
          'Hello,',
          `the subscription to ${content.url} (${content.subscriptionId}) of application “${content.application}” in “${content.organization}” was disabled: ${content.reason}.`,
          'It gets no events until somebody enables it again; what it was still owed is cancelled and can be replayed.',
        ],
        link: { label: 'Open the dashboard', url: pageUrl('/') },
      };
  }
};

/** Anybody may register any address, under a name that is an invitation to some site: what could become a link is left out. */
const greeting = ({ firstName }: { readonly firstName: string }): string =>
  /[/@]|\.\S/.test(firstName) ? 'Hello,' : `Hello ${firstName},`;

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ');

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const paragraph = (line: string): string => `<p>${escapeHtml(line)}</p>`;

const page = (title: string, body: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title></head>
<body style="font-family:system-ui,sans-serif;color:#1b2430;line-height:1.5;max-width:560px;margin:24px auto;padding:0 16px">
${body}
<p style="color:#5b6470;font-size:13px">Posthorn</p>
</body></html>
`;
