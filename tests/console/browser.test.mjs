// The console in Chromium, against the real server: everything on SQLite, and what depends on the database on PostgreSQL, too.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import everybody from './screens/everybody.mjs';
import hostile from './screens/hostile.mjs';
import bulk from './screens/bulk.mjs';
import live from './screens/live.mjs';
import managing from './screens/managing.mjs';
import outages from './screens/outages.mjs';
import searching from './screens/searching.mjs';
import signIn from './screens/sign_in.mjs';
import { freshDatabase } from './support/server.mjs';
import { startBrowser, World } from './support/world.mjs';

const main = { 'sign-in': signIn, searching, managing, 'live feed': live, 'bulk endings': bulk };
const databases = [{ name: 'SQLite', areas: { ...main, hostile, outages, 'for everybody': everybody } }];
if (process.env.TEST_DATABASE_URL) databases.push({ name: 'PostgreSQL', url: process.env.TEST_DATABASE_URL, areas: main });

// One start of Chromium for all; each test has a context of its own.
const browser = await startBrowser();
after(() => browser.close());

for (const { name, url, areas } of databases) {
    describe(name, () => {
        const world = new World(browser);
        let database;
        before(async () => {
            database = url && (await freshDatabase(url));
            await world.start(database && { DATABASE_URL: database.url });
        });
        after(async () => {
            await world.stop();
            await database?.drop();
        });
        for (const [area, define] of Object.entries(areas)) describe(area, () => define(world));
        test('no page had an error, a report of its policy or a request to elsewhere', () => {
            assert.deepEqual(world.troubles, []);
        });
    });
}
