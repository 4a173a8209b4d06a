/** One config for every workspace: real Postgres for *.db.test.ts and test/, started once per run. */
export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'es6' } },
    ],
  },
  testMatch: ['<rootDir>/{apps,db,test}/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/.postel', '<rootDir>/.turbo'],
  globalSetup: '<rootDir>/db/src/testing/global-setup.ts',
  globalTeardown: '<rootDir>/db/src/testing/global-teardown.ts',
  // Enough for the longest on a machine a few times slower than usual: only what hangs comes so far
  testTimeout: 300_000,
  maxWorkers: 2,
}
