import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually, rows } from '../support/steps.mjs';
import { World } from '../support/world.mjs';

/** @param {World} main */
export default function outages(main) {
    test('a slow server shows that something is loading, after a while and not before', async () => {
        const page = await main.page('viewer');
        let answer;
        const asked = new Promise((resolve) => {
            page.route('**/v1/users?*', async (route) => {
                resolve();
                await new Promise((go) => (answer = go));
                await route.continue();
            });
        });
        await page.goto(`${main.base}/admin/users?search=10`);
        await asked;
        await page.locator('.loading').waitFor({ state: 'attached' });
        await page.getByRole('status').filter({ hasText: 'Loading' }).waitFor();
        answer();
        await rows(page, 'Users that were found').first().waitFor();
        assert.equal(await page.locator('.loading').count(), 0);
        await page.context().close();
    });

    test('a refusal is shown in its own words with the request id, and can be tried again', async () => {
        const page = await main.page('viewer', undefined, { awaited: [/status of 503/] });
        const problem = { type: 'urn:sojourn:problem:unavailable', title: 'Service Unavailable', status: 503, code: 'unavailable', detail: 'The database does not answer' };
        const refuse = (route) =>
            route.fulfill({ status: 503, contentType: 'application/problem+json', headers: { 'x-request-id': 'request-77' }, body: JSON.stringify(problem) });
        for (const [at, api] of [['/users', '**/v1/users*'], ['/applications', '**/v1/applications'], ['/sessions', '**/v1/sessions?*'], ['/users/1001', '**/v1/users/1001/sessions']]) {
            await page.route(api, refuse);
            await page.goto(`${main.base}/admin${at}`);
            const alert = page.getByRole('alert').filter({ hasText: 'The database does not answer' });
            await alert.waitFor();
            assert.match(await alert.innerText(), /request-77/);
            await page.unroute(api);
            await alert.getByRole('button', { name: 'Try again' }).click();
            await alert.waitFor({ state: 'detached' });
            await page.locator('main table').first().waitFor();
        }
        await page.context().close();
    });

    test('a search that is too broad says what to narrow', async () => {
        const page = await main.page('viewer', undefined, { awaited: [/status of 422/] });
        const problem = { type: 'urn:sojourn:problem:search_too_broad', title: 'Unprocessable Content', status: 422, code: 'search_too_broad', detail: 'Name a user or a shorter range of time' };
        await page.route('**/v1/sessions?*', (route) => route.fulfill({ status: 422, contentType: 'application/problem+json', body: JSON.stringify(problem) }));
        await page.goto(`${main.base}/admin/sessions?browser=Firefox`);
        await page.getByText('Name a user or a shorter range of time').waitFor();
        await page.context().close();
    });

    test('a dead server is said to be so, and the console comes back by itself with it', async () => {
        const world = await new World(main.browser).start();
        try {
            const awaited = [/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_FAILED|ERR_CONNECTION_CLOSED|status of (401|503)/];
            const mark = (text) => live.locator('.page-actions .badge').filter({ hasText: text });
            const live = await world.page('admin', '/admin/live', { awaited });
            await mark('Live').waitFor();
            const page = await world.page('viewer', '/admin/users?search=1001', { awaited });
            await rows(page, 'Users that were found').first().waitFor();
            await world.server.stop();
            await mark('Not connected').waitFor();
            await page.getByRole('link', { name: /1001/ }).first().click();
            await page.getByRole('alert').first().waitFor();
            await world.server.resume();
            const again = page.getByRole('button', { name: 'Try again' }).first();
            await eventually(async () => {
                if (await again.count()) await again.click({ timeout: 1000 });
                assert.equal(await page.getByRole('heading', { name: 'Alice Martin' }).count(), 1, await page.locator('body').innerText());
            }, 60_000);
            // The feed tries again after 30 seconds at most, and a quarter more.
            await eventually(async () => assert.equal(await mark('Live').count(), 1), 60_000);
            const { id } = await world.server.open('after-the-outage');
            await world.server.call('DELETE', `/v1/sessions/${id}`);
            await eventually(async () => assert.match(await live.locator('main').innerText(), /after-the-outage/));
            await live.context().close();
            await page.context().close();
            assert.deepEqual(world.troubles, []);
        } finally {
            await world.stop();
        }
    });
}
