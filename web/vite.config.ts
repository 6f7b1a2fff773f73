import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { checkDocuments } from './build/check-documents.ts';
import { compress } from './build/compress.ts';

const server = process.env.POSTHORN_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  root: import.meta.dirname,
  // Configured here alone: the plugin looks for no file of its own.
  plugins: [checkDocuments(), svelte({ configFile: false }), compress()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2023',
    manifest: true,
    // As files: a page whose policy allows no data: address loads them, too.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: { '/graphql': { target: server, ws: true }, '/api': server, '/docs': server, '/graphiql': server },
  },
});
