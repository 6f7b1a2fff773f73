import type { Role } from '../../domain/organization/role.ts';
import { decodeCursor, type Page, type PageRequest, type Queryable, rowsToRead, toPage } from '../page.ts';

export type MemberRecord = { readonly userId: string; readonly role: Role; readonly since: Date };
export type InvitationRecord = {
  readonly invitationId: string;
  readonly organizationId: string;
  readonly role: Role;
  readonly email: string;
  readonly createdAt: Date;
};
/** Without the token: that is sealed, see the vault. */
export type ServiceTokenRecord = {
  readonly tokenId: string;
  readonly organizationId: string;
  readonly name: string;
  readonly revocationId: string;
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
  /** To the minute; null until it is used. */
  readonly lastUsedAt: Date | null;
};

const LIST_MEMBERS = `
  SELECT user_id, role, since FROM membership
  WHERE organization_id = $1 AND ($2::uuid IS NULL OR user_id > $2)
  ORDER BY user_id
  LIMIT $3`;

/** In order of their ids, which is that of registration. */
export const listMembers = async (
  db: Queryable,
  organizationId: string,
  { cursor, limit }: PageRequest,
): Promise<Page<MemberRecord>> => {
  const { rows } = await db.query<{ user_id: string; role: Role; since: Date }>(LIST_MEMBERS, [
    organizationId,
    decodeCursor('members', 'uuid', cursor),
    rowsToRead(limit),
  ]);
  const page = toPage('members', rows, { limit, keyOf: (row) => row.user_id });
  return { ...page, rows: page.rows.map(({ user_id: userId, role, since }) => ({ userId, role, since })) };
};

/** Owners of an organization, 50 at most. */
export const listOwners = async (db: Queryable, organizationId: string): Promise<readonly string[]> => {
  const { rows } = await db.query<{ user_id: string }>(
    `SELECT user_id FROM membership WHERE organization_id = $1 AND role = 'owner' ORDER BY user_id LIMIT 50`,
    [organizationId],
  );
  return rows.map(({ user_id: userId }) => userId);
};

/** Members, and invitations that are open and hold a place. */
export const countMembers = async (db: Queryable, organizationId: string): Promise<number> => {
  const { rows } = await db.query<{ count: number }>(
    `SELECT ((SELECT count(*) FROM membership WHERE organization_id = $1)
           + (SELECT count(*) FROM invitation WHERE organization_id = $1))::int AS count`,
    [organizationId],
  );
  return rows[0]?.count ?? 0;
};

/** What a person is in each organization. */
export const rolesOf = async (db: Queryable, userId: string): Promise<ReadonlyMap<string, Role>> => {
  const { rows } = await db.query<{ organization_id: string; role: Role }>({
    name: 'roles_of',
    text: `SELECT m.organization_id, m.role FROM membership AS m JOIN organization AS o USING (organization_id)
           WHERE m.user_id = $1 AND o.deleted_at IS NULL`,
    values: [userId],
  });
  return new Map(rows.map(({ organization_id: organizationId, role }) => [organizationId, role]));
};

const INVITATION_COLUMNS = 'i.invitation_id, i.organization_id, i.role, i.created_at, a.email';
type InvitationRow = {
  invitation_id: string;
  organization_id: string;
  role: Role;
  created_at: Date;
  email: string;
};
const toInvitation = (row: InvitationRow): InvitationRecord => ({
  invitationId: row.invitation_id,
  organizationId: row.organization_id,
  role: row.role,
  email: row.email,
  createdAt: row.created_at,
});

/** Open invitations, oldest first. */
export const listInvitations = async (
  db: Queryable,
  organizationId: string,
  { cursor, limit }: PageRequest,
): Promise<Page<InvitationRecord>> => {
  const { rows } = await db.query<InvitationRow>(
    `SELECT ${INVITATION_COLUMNS} FROM invitation AS i JOIN invitation_address AS a USING (invitation_id)
     WHERE i.organization_id = $1 AND ($2::uuid IS NULL OR i.invitation_id > $2)
     ORDER BY i.invitation_id LIMIT $3`,
    [organizationId, decodeCursor('invitations', 'uuid', cursor), rowsToRead(limit)],
  );
  const page = toPage('invitations', rows, { limit, keyOf: (row) => row.invitation_id });
  return { ...page, rows: page.rows.map(toInvitation) };
};

/** All that are open for an address, by its key. */
export const invitationsFor = async (db: Queryable, emailKey: string): Promise<readonly InvitationRecord[]> => {
  const { rows } = await db.query<InvitationRow>(
    `SELECT ${INVITATION_COLUMNS} FROM invitation AS i JOIN invitation_address AS a USING (invitation_id)
     JOIN organization AS o ON o.organization_id = i.organization_id
     WHERE a.email_key = $1 AND o.deleted_at IS NULL ORDER BY i.invitation_id LIMIT 100`,
    [emailKey],
  );
  return rows.map(toInvitation);
};

const TOKEN_COLUMNS =
  't.token_id, t.organization_id, t.name, t.revocation_id, t.created_at, t.revoked_at, u.last_used_at';
type TokenRow = {
  token_id: string;
  organization_id: string;
  name: string;
  revocation_id: string;
  created_at: Date;
  revoked_at: Date | null;
  last_used_at: Date | null;
};
const toServiceToken = (row: TokenRow): ServiceTokenRecord => ({
  tokenId: row.token_id,
  organizationId: row.organization_id,
  name: row.name,
  revocationId: row.revocation_id,
  createdAt: row.created_at,
  revokedAt: row.revoked_at,
  lastUsedAt: row.last_used_at,
});

/** Those that open doors, newest first. */
export const listServiceTokens = async (
  db: Queryable,
  organizationId: string,
  { cursor, limit }: PageRequest,
): Promise<Page<ServiceTokenRecord>> => {
  const { rows } = await db.query<TokenRow>(
    `SELECT ${TOKEN_COLUMNS} FROM service_token AS t LEFT JOIN service_token_use AS u USING (token_id)
     WHERE t.organization_id = $1 AND t.revoked_at IS NULL AND ($2::uuid IS NULL OR t.token_id < $2)
     ORDER BY t.token_id DESC LIMIT $3`,
    [organizationId, decodeCursor('service_tokens', 'uuid', cursor), rowsToRead(limit)],
  );
  const page = toPage('service_tokens', rows, { limit, keyOf: (row) => row.token_id });
  return { ...page, rows: page.rows.map(toServiceToken) };
};

/** One that opens doors. */
export const findServiceToken = async (db: Queryable, tokenId: string): Promise<ServiceTokenRecord | undefined> => {
  const { rows } = await db.query<TokenRow>(
    `SELECT ${TOKEN_COLUMNS} FROM service_token AS t LEFT JOIN service_token_use AS u USING (token_id)
     WHERE t.token_id = $1 AND t.revoked_at IS NULL`,
    [tokenId],
  );
  return rows[0] && toServiceToken(rows[0]);
};

/** Whether a token with these blocks opens doors: it was made, was not revoked, its organization lives, and so do its blocks. */
export const isServiceTokenLive = async (
  db: Queryable,
  tokenId: string,
  revocationIds: readonly string[],
): Promise<boolean> => {
  const { rows } = await db.query({
    name: 'is_service_token_live',
    text: `SELECT FROM service_token AS t JOIN organization AS o USING (organization_id)
           WHERE t.token_id = $1 AND t.revoked_at IS NULL AND o.deleted_at IS NULL
             AND NOT EXISTS (SELECT FROM revoked_block AS b
                             WHERE b.organization_id = t.organization_id AND b.revocation_id = ANY($2::text[]))`,
    values: [tokenId, [...revocationIds]],
  });
  return rows.length > 0;
};
