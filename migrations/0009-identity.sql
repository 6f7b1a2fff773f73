-- Who may do what: memberships, invitations and service tokens as projections of the log, and beside the log what can be
-- erased or is not worth a domain event: people, credentials, sessions, tokens of mails, mails to be sent. New tables only;
-- nothing existing is locked.
SET LOCAL lock_timeout = '5s';

-- Personal data. `email_key` is the address folded for comparison. Erasing a person deletes the row; the log names ids only.
CREATE TABLE user_account (
  user_id uuid PRIMARY KEY,
  email text NOT NULL,
  email_key text NOT NULL UNIQUE,
  first_name text NOT NULL,
  last_name text NOT NULL,
  password_hash text NOT NULL,
  created_at timestamptz NOT NULL,
  verified_at timestamptz
);
CREATE INDEX user_account_unverified ON user_account (created_at) WHERE verified_at IS NULL;

-- One row per sign-in. `refresh_token_id` is the only refresh token that is still good; an older one shows a theft.
CREATE TABLE user_session (
  session_id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES user_account ON DELETE CASCADE,
  refresh_token_id uuid NOT NULL,
  created_at timestamptz NOT NULL,
  authenticated_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz,
  end_reason text,
  ip text
);
CREATE INDEX user_session_by_user ON user_session (user_id);
CREATE INDEX user_session_by_expiry ON user_session (expires_at);

-- Tokens that mails carry: good once, and the newest of its purpose only.
CREATE TABLE mail_token (
  token_id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES user_account ON DELETE CASCADE,
  purpose text NOT NULL CHECK (purpose IN ('email_verification', 'password_reset')),
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX mail_token_by_user ON mail_token (user_id, purpose, created_at);
CREATE INDEX mail_token_by_expiry ON mail_token (expires_at);

-- Mails that are to be sent; `content` names what the template needs, never a secret: tokens are signed when it is sent.
CREATE TABLE mail (
  mail_id uuid PRIMARY KEY,
  recipient text NOT NULL,
  template text NOT NULL,
  content json NOT NULL,
  created_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  error text
);
CREATE INDEX mail_due ON mail (due_at);

CREATE TABLE membership (
  organization_id uuid NOT NULL,
  user_id uuid NOT NULL,
  role text NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
  since timestamptz NOT NULL,
  partition_no smallint NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX membership_by_user ON membership (user_id, organization_id);

CREATE TABLE invitation (
  invitation_id uuid PRIMARY KEY,
  organization_id uuid NOT NULL,
  role text NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
  created_at timestamptz NOT NULL,
  partition_no smallint NOT NULL,
  position bigint NOT NULL
);
CREATE INDEX invitation_by_organization ON invitation (organization_id, invitation_id);

-- Whom an invitation is for: personal data of somebody who has no account yet.
CREATE TABLE invitation_address (
  invitation_id uuid PRIMARY KEY,
  organization_id uuid NOT NULL,
  email text NOT NULL,
  email_key text NOT NULL,
  created_at timestamptz NOT NULL,
  UNIQUE (organization_id, email_key)
);
CREATE INDEX invitation_address_by_email ON invitation_address (email_key);

-- The token itself is a sealed value under the same id; `revocation_id` is that of its first block, hex.
CREATE TABLE service_token (
  token_id uuid PRIMARY KEY,
  organization_id uuid NOT NULL,
  name text NOT NULL,
  revocation_id text NOT NULL,
  created_at timestamptz NOT NULL,
  revoked_at timestamptz,
  partition_no smallint NOT NULL,
  position bigint NOT NULL
);
CREATE INDEX service_token_by_organization ON service_token (organization_id, token_id) WHERE revoked_at IS NULL;

-- Single blocks of service tokens that were attenuated: whatever holds one of them opens nothing any more.
CREATE TABLE revoked_block (
  revocation_id text NOT NULL,
  organization_id uuid NOT NULL,
  token_id uuid NOT NULL,
  revoked_at timestamptz NOT NULL,
  partition_no smallint NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (organization_id, revocation_id)
);

-- When a service token was last seen, to the minute. Not in the log: it says nothing that was decided.
CREATE TABLE service_token_use (
  token_id uuid PRIMARY KEY,
  last_used_at timestamptz NOT NULL
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE, DELETE ON user_account, user_session, mail_token, mail, membership, invitation,
  invitation_address, service_token, revoked_block, service_token_use TO posthorn_app;
