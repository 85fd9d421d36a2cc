import { blackbox } from '../families/blackbox.js';
import { cumulonimbus } from '../families/cumulonimbus.js';
import { janssen } from '../families/janssen.js';
import { quiika } from '../families/quiika.js';
import { vault } from '../families/vault.js';
import { oauth, offline } from '../oauth/oauth.mjs';
import { Checks } from './checks.mjs';
import { Server, withFreshDatabase } from './server.mjs';

const checks = new Checks();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

/** @param {string} [databaseUrl] */
async function onServer(databaseUrl) {
    const server = new Server();
    try {
        await server.start(databaseUrl);
        for (const family of [quiika, vault, janssen, blackbox, cumulonimbus]) await family(server, checks);
    } finally {
        await server.stop();
    }
}

console.log('on SQLite');
await onServer();
await oauth(checks);
await offline(checks);
if (process.env.TEST_DATABASE_URL) {
    console.log('on PostgreSQL');
    await withFreshDatabase(process.env.TEST_DATABASE_URL, onServer);
    await withFreshDatabase(process.env.TEST_DATABASE_URL, (url) => oauth(checks, url));
} else {
    console.log('left out: PostgreSQL, TEST_DATABASE_URL is not set');
}
checks.end();
