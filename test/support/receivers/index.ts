export * from './behaviours.ts';
export * from './certificates.ts';
export * from './dns-server.ts';
export * from './receiver.ts';
