import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AGENTS } from '../support/seed.mjs';
import { addChip, chip, dialog, eventually, rows } from '../support/steps.mjs';

/** @param {import('../support/world.mjs').World} world */
export default function searching(world) {
    const table = (page) => rows(page, 'Sessions that were found');
    /** The ids of the sessions on the page, in its order. */
    const shown = (page) => table(page).locator('th a').evaluateAll((links) => links.map((link) => link.pathname.split('/').at(-1)));
    const found = async (query) => (await world.server.call('GET', `/v1/sessions?limit=50&${query}`)).sessions.map(({ id }) => id);

    test('from the sign-in to an ended session, whose token is refused and whose page says so by itself', async () => {
        const session = await world.server.open('1001', { client_id: 'check-1', user_agent: AGENTS[0], device_name: 'Lost laptop' });
        const page = await world.page('admin', '/admin/sessions');
        await addChip(page, 'User', '1001');
        await addChip(page, 'Application', 'check-1');
        await eventually(async () => assert.deepEqual(await shown(page), [session.id]));
        await page.getByRole('link', { name: 'Lost laptop' }).click();
        await page.getByRole('heading', { name: 'Lost laptop' }).waitFor();
        const watching = await world.page('viewer', `/admin/sessions/${session.id}`);
        await watching.getByRole('heading', { name: 'Lost laptop' }).waitFor();
        await page.getByRole('button', { name: 'End session' }).click();
        await dialog(page).getByRole('button', { name: 'End session' }).click();
        await page.getByText('The session was ended.').waitFor();
        const { status } = await world.server.raw('GET', '/v1/me', { authorization: `Bearer ${session.token}` });
        assert.equal(status, 401);
        await watching.getByText('This session has just ended: Ended by staff').waitFor();
        await watching.locator('.timeline').getByText(`console:${world.data.admin.key.id}`).first().waitFor();
        for (const each of [page, watching]) await each.context().close();
    });

    const when = new Date(Date.now() - 3_600_000).toISOString();
    test('each chip finds what the API finds', async (test) => {
        const page = await world.page('viewer', '/admin/sessions');
        await table(page).first().waitFor();
        for (const [label, text, query] of [
            ['User', '1007', 'user_id=1007'],
            ['User name', 'Alice', 'user_name=Alice'],
            ['Email address', 'user1009@example.org', 'email=user1009@example.org'],
            ['State', 'Ended', 'state=ended'],
            ['Application', 'shop', 'client_id=shop'],
            ['Kind of device', 'Phone', 'device_type=mobile'],
            ['Address or network', '203.0.113.0/24', 'ip_address=203.0.113.0/24'],
            ['Browser', 'Firefox', 'browser=Firefox'],
            ['Operating system', 'Windows', 'os=Windows'],
            ['Opened by', 'bootstrap', 'opened_by=bootstrap'],
            ['Why it ended', 'User banned', 'ended_reason=user_banned'],
        ]) {
            await test.test(label, async () => {
                await addChip(page, label, text);
                const expected = await found(query);
                assert.ok(expected.length > 0);
                await eventually(async () => assert.deepEqual(await shown(page), expected));
                await chip(page, label).getByRole('button', { name: /Remove the filter/ }).click();
                await eventually(async () => assert.equal(await page.locator('.chip').count(), 0));
            });
        }
        for (const [label, name] of [['Opened', 'created'], ['Last used', 'last_seen']]) {
            await test.test(label, async () => {
                await page.getByRole('button', { name: 'Filter', exact: true }).click();
                await page.locator('.popover').getByRole('button', { name: label, exact: true }).click();
                await page.locator('.popover').getByRole('button', { name: 'Last hour' }).click();
                await chip(page, label).waitFor();
                const from = new URL(page.url()).searchParams.get(`${name}_from`);
                await eventually(async () => assert.deepEqual(await shown(page), await found(`${name}_from=${from}`)));
                await chip(page, label).getByRole('button', { name: /Remove the filter/ }).click();
            });
        }
        await page.context().close();
    });

    test('the address of a search with five chips shows the same page in another browser', async () => {
        const open = (n) => world.server.open(`five-${n}`, { user: { name: `Fiona ${n}` }, client_id: 'five', user_agent: AGENTS[0] });
        for (const n of [1, 2, 3]) await open(n);
        const query = 'state=active&client_id=five&device_type=desktop&browser=Firefox&user_name=Fiona&sort=created_at';
        const first = await world.page('admin', `/admin/sessions?${query}`);
        await eventually(async () => assert.equal(await first.locator('.chip').count(), 5));
        const expected = await found(query);
        assert.equal(expected.length, 3);
        await eventually(async () => assert.deepEqual(await shown(first), expected));
        const second = await world.page('viewer');
        await second.goto(first.url());
        await eventually(async () => assert.deepEqual(await shown(second), expected));
        assert.equal(await second.locator('.chip').count(), 5);
        for (const each of [first, second]) await each.context().close();
    });

    test('next and back keep the order while sessions are being opened', async () => {
        const page = await world.page('viewer');
        const turn = async (name, before) => {
            await page.getByRole('button', { name, exact: true }).click();
            await eventually(async () => assert.notDeepEqual(await shown(page), before));
            return shown(page);
        };
        const open = (n) => world.server.open('pages', { device_name: `Page ${n}` });
        for (let n = 0; n < 130; n += 10) await Promise.all([...Array(10).keys()].map((more) => open(n + more)));
        await page.goto(`${world.base}/admin/sessions?user_id=pages`);
        await eventually(async () => assert.equal((await shown(page)).length, 50));
        const first = await shown(page);
        await open('meanwhile');
        const second = await turn('Next', first);
        await open('meanwhile again');
        const third = await turn('Next', second);
        assert.equal(new Set([...first, ...second, ...third]).size, 130);
        assert.equal(await page.getByRole('button', { name: 'Next', exact: true }).isDisabled(), true);
        assert.deepEqual(await turn('Back', third), second);
        await page.goBack();
        await eventually(async () => assert.deepEqual(await shown(page), third));
        await page.context().close();
    });

    test('ticked sessions are ended together', async () => {
        const opened = await Promise.all([1, 2, 3].map(() => world.server.open('ticked')));
        const page = await world.page('admin', '/admin/sessions?user_id=ticked');
        for (const { id } of opened.slice(1)) await page.getByLabel(`Select ${id}`).check();
        await page.getByRole('button', { name: 'End 2 sessions' }).click();
        await dialog(page).getByRole('button', { name: 'End 2 sessions' }).click();
        await page.getByText('2 sessions were ended.').waitFor();
        const states = await Promise.all(opened.map(async ({ id }) => (await world.server.session(id)).state));
        assert.deepEqual(states, ['active', 'ended', 'ended']);
        await page.context().close();
    });

    test('a session is extended and renamed', async () => {
        const { id, expires_at } = await world.server.open('longer', { expires_in: 3600 });
        const page = await world.page('admin', `/admin/sessions/${id}`);
        await page.getByRole('button', { name: 'Extend' }).click();
        await dialog(page).getByRole('button', { name: 'Extend' }).click();
        await page.getByText('The session was extended').waitFor();
        await page.getByRole('button', { name: 'Rename' }).click();
        await dialog(page).getByLabel('Name of the device').fill('Reception');
        await dialog(page).getByRole('button', { name: 'Rename' }).click();
        await page.getByRole('heading', { name: 'Reception' }).waitFor();
        const session = await world.server.session(id);
        assert.ok(session.expires_at > expires_at);
        assert.equal(session.device.name, 'Reception');
        await page.context().close();
    });
}
