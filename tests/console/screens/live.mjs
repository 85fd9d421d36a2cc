import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { addChip, eventually } from '../support/steps.mjs';

/** Endings a second, and for how many seconds. SOJOURN_CONSOLE_LIVE is another time, such as the 300 seconds of the contract. */
const RATE = 100;
const SECONDS = Number(process.env.SOJOURN_CONSOLE_LIVE ?? 20);

/** @param {import('../support/world.mjs').World} world */
export default function live(world) {
    const list = (page) => page.getByRole('list', { name: 'Live' }).getByRole('listitem');

    test('endings appear as they come, are filtered, and wait while paused', async () => {
        const { server } = world;
        const page = await world.page('viewer', '/admin/live');
        await page.locator('.page-actions .badge').filter({ hasText: 'Live' }).waitFor();
        const end = async (user) => server.call('DELETE', `/v1/sessions/${(await server.open(user)).id}`);
        await end('seen-live');
        await list(page).filter({ hasText: 'seen-live' }).waitFor();
        await page.getByRole('button', { name: 'Pause' }).click();
        await end('while-paused');
        await page.getByRole('button', { name: 'Resume (1 new)' }).click();
        await list(page).filter({ hasText: 'while-paused' }).waitFor();
        await addChip(page, 'User', 'only-this');
        await page.getByText('Waiting for the next ending').waitFor();
        await page.locator('.page-actions .badge').filter({ hasText: 'Live' }).waitFor();
        await end('somebody-else');
        await end('only-this');
        await list(page).filter({ hasText: 'only-this' }).waitFor();
        assert.equal(await list(page).count(), 1);
        await page.context().close();
    });

    test(`no ending is lost at ${RATE} a second`, async (test) => {
        const { server } = world;
        const ids = [];
        for (let n = 0; n < RATE * SECONDS; n += 50) {
            ids.push(...(await Promise.all([...Array(50).keys()].map(async (more) => (await server.open(`storm-${(n + more) % 97}`)).id))));
        }
        const page = await world.page('viewer');
        await page.addInitScript(() => {
            globalThis.tasks = [];
            new PerformanceObserver((all) => globalThis.tasks.push(...all.getEntries().map((entry) => entry.duration))).observe({ type: 'longtask' });
        });
        await page.goto(`${world.base}/admin/live`);
        await page.locator('.page-actions .badge').filter({ hasText: 'Live' }).waitFor();
        await page.evaluate(() => globalThis.tasks.splice(0));
        const memory = async () => {
            await page.requestGC();
            return page.evaluate(() => performance.memory.usedJSHeapSize / 1_048_576);
        };
        const before = await memory();
        const started = Date.now();
        for (let n = 0; n < ids.length; n += RATE / 10) {
            await Promise.all(ids.slice(n, n + RATE / 10).map((id) => server.call('DELETE', `/v1/sessions/${id}`)));
            await sleep(Math.max(0, started + ((n + RATE / 10) / RATE) * 1000 - Date.now()));
        }
        const rate = ids.length / ((Date.now() - started) / 1000);
        await page.getByText(`${ids.length.toLocaleString('en-GB')} endings since this page was opened`).waitFor();
        assert.equal(await list(page).count(), 100);
        const tasks = await page.evaluate(() => globalThis.tasks);
        const after = await memory();
        await page.getByRole('button', { name: 'Pause' }).click();
        await eventually(async () => assert.equal(await list(page).count(), Math.min(500, ids.length)));
        const told = `${tasks.length} tasks over 50 ms (longest ${Math.round(Math.max(0, ...tasks))} ms), memory ${(after - before).toFixed(1)} MiB more`;
        test.diagnostic(`${ids.length} endings at ${rate.toFixed(0)} a second: none lost, ${told}`);
        assert.ok(after - before < 20, `${after - before} MiB`);
        await page.context().close();
    });
}
