/** One rule per line of the map: imports point inwards. */
const DEVELOPMENT_TYPES = '^node_modules/(@event-driven-io/emmett|@types)/';

/** `folder` may import itself and `allowed`, and nothing else of src. */
const only = (folder, ...allowed) => ({
  name: `${folder}-imports-only-${allowed.join('-') || 'itself'}`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: `^src/(${[folder, ...allowed].join('|')})/` },
});

module.exports = {
  forbidden: [
    only('domain'),
    only('embedded-postgres'),
    only('config', 'domain'),
    only('eventstore', 'domain'),
    {
      name: 'eventstore-takes-types-of-the-domain',
      comment: 'The log knows the shape of domain events, not what they mean.',
      severity: 'error',
      from: { path: '^src/eventstore/' },
      to: { path: '^src/domain/', dependencyTypesNot: ['type-only'] },
    },
    only('projections', 'domain', 'eventstore'),
    only('audit', 'domain', 'eventstore', 'projections'),
    only('payload-schema', 'domain'),
    only('retention', 'domain', 'eventstore', 'projections', 'config'),
    only('live', 'domain', 'eventstore'),
    only('history', 'domain', 'eventstore', 'projections'),
    only('identity', 'domain', 'eventstore', 'projections'),
    only('mail', 'domain', 'eventstore', 'identity', 'projections'),
    only('tokens', 'domain'),
    {
      name: 'api-and-worker-never-meet',
      comment: 'They meet in the database, so that either can run alone.',
      severity: 'error',
      from: { path: '^src/(api|worker)/' },
      to: { path: '^src/(api|worker)/', pathNot: '^src/$1/' },
    },
    {
      name: 'api-and-worker-stay-out-of-the-rest',
      comment: 'Configuration and the database arrive as dependencies from main.ts.',
      severity: 'error',
      from: { path: '^src/(api|worker)/' },
      to: { path: '^src/(config|embedded-postgres|cli|audit)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'nothing-imports-main',
      severity: 'error',
      from: { path: '^(src|test|bench)/' },
      to: { path: '^src/main\\.ts$' },
    },
    {
      name: 'src-imports-no-tests',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|web)/' },
    },
    {
      name: 'no-cycles',
      comment: 'Types may point at each other: they are gone at run time.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'development-dependencies-only-in-tests',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: DEVELOPMENT_TYPES },
    },
    {
      name: 'emmett-gives-types-only',
      comment: 'It carries no licence yet: types in src, values in tests.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '@event-driven-io/emmett', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-undeclared-packages',
      severity: 'error',
      from: { path: '^(src|test|bench)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown', 'undetermined'] },
    },
    {
      name: 'nothing-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true, // Else imports of types alone are not seen.
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
      mainFields: ['main', 'types'],
    },
  },
};
