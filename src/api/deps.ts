import type { Pool } from 'pg';
import type { Config } from '../config/load.ts';
import type { OwnEndpoint } from '../domain/target/address.ts';
import type { HandleCommand } from '../eventstore/command-handler.ts';
import type { GroupCommit } from '../eventstore/group-commit.ts';
import type { LogReader } from '../eventstore/read.ts';
import type { Turns } from '../eventstore/turns.ts';
import type { PasswordHasher } from '../identity/hasher.ts';
import type { LiveHub } from '../live/hub.ts';
import type { SchemaCache } from '../payload-schema/cache.ts';
import type { ConfigurationCache } from '../projections/configuration/cache.ts';
import type { Queryable } from '../projections/page.ts';
import type { Tokens } from '../tokens/tokens.ts';
import type { Vault } from '../vault/vault.ts';
import type { WorkListQueries } from '../worklist/pending-delivery.ts';
import type { Authenticate } from './auth/authenticate.ts';
import type { Refusals } from './auth/refusals.ts';
import type { TenantView } from './auth/tenant-view.ts';
import type { Ingest } from './ingest/ingest.ts';
import type { SettingDescription } from './instance/environment.ts';
import type { LimitsOf } from './quota/limits.ts';
import type { AttemptLimiter } from './rate-limit/attempts.ts';
import type { RateGuard } from './rate-limit/guard.ts';

/** One thing the service stands on, asked by `/readyz`. */
export type ReadinessCheck = { readonly name: string; readonly check: () => Promise<void> };

/** All that routes are built from; made once by the composition root. */
export type ApiDeps = {
  readonly config: Config;
  readonly version: string;
  /** On whose behalf a request is answered. */
  readonly tenantView: TenantView;
  /** For queries on behalf of whoever asks: to a tenant the database shows its own rows only. */
  readonly pool: Queryable;
  /**
   * Acts as `posthorn_app` whoever asks: for accounts and sessions, which belong to people and to no organization, and for what is of
   * the instance, such as cuts through the log.
   */
  readonly instancePool: Pool;
  readonly partitions: number;
  readonly log: GroupCommit;
  readonly reader: LogReader;
  /** For commands that concern several streams; those of one stream take theirs in {@link ApiDeps.handle}. */
  readonly turns: Turns;
  readonly handle: HandleCommand;
  readonly configuration: ConfigurationCache;
  /** The schemas that payloads must match, compiled. */
  readonly schemas: SchemaCache;
  readonly workList: WorkListQueries;
  readonly vault: Vault;
  readonly ingest: Ingest;
  /** What is watched through this process. */
  readonly live: LiveHub;
  readonly authenticate: Authenticate;
  /** Where no target may be. */
  readonly ownEndpoints: readonly OwnEndpoint[];
  readonly rateGuard: RateGuard;
  readonly tokens: Tokens;
  readonly passwords: PasswordHasher;
  /** Guesses at passwords and links. */
  readonly attempts: AttemptLimiter;
  readonly refusals: Pick<Refusals, 'note'>;
  readonly limitsOf: LimitsOf;
  /** A mail was written that is to be sent. */
  readonly mailHint: () => void;
  /** What the environment may set, without the values. */
  readonly variables: readonly SettingDescription[];
  readonly onIngested: (result: 'accepted' | 'repeated' | 'refused') => void;
  readonly metrics: () => Promise<{ contentType: string; text: string }>;
  readonly readiness: readonly ReadinessCheck[];
  /** Ed25519 public keys by id, `whpk_` form, and hex for Hook0's `/instance`. */
  readonly publicKeys: readonly { readonly id: string; readonly whpk: string; readonly hex: string }[];
  /** Opens `/health`: none closes it, an empty one leaves it open to everybody. */
  readonly healthKey: string | undefined;
  readonly now: () => Date;
};
