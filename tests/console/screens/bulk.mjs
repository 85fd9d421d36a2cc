import assert from 'node:assert/strict';
import { test } from 'node:test';

import { addChip, chip, eventually, rows } from '../support/steps.mjs';

/** @param {import('../support/world.mjs').World} world */
export default function bulk(world) {
    const dryRun = (filter) => world.server.call('POST', '/v1/sessions/revoke', { filter, dry_run: true });

    test('an ending of one application says what the API says, wants the number, and spares whoever signs in meanwhile', async () => {
        const { server } = world;
        const opened = await Promise.all([...Array(12).keys()].map((n) => server.open(`bulk-${n}`, { client_id: 'bulk' })));
        const page = await world.page('admin', '/admin/end');
        await page.getByText('there is no undo').first().waitFor();
        await page.getByText('No filter is set: this means everybody').waitFor();
        await addChip(page, 'Application', 'bulk');
        await page.getByRole('button', { name: 'Count what this means' }).click();
        const { revoked } = await dryRun({ client_id: 'bulk' });
        assert.equal(revoked, 12);
        await page.getByText('12 sessions', { exact: true }).waitFor();
        assert.equal(await rows(page, /of them/).count(), 10);
        assert.match(await page.locator('.shares').innerText(), /bulk\s+12\s+100/);

        const later = await server.open('bulk-later', { client_id: 'bulk' });
        const end = page.getByRole('button', { name: 'End 12 sessions' });
        const field = page.getByLabel('Type 12 to confirm');
        for (const wrong of ['', '1', '13', 'everybody']) {
            await field.fill(wrong);
            assert.equal(await end.isDisabled(), true, wrong);
        }
        await field.fill('12');
        await end.click();
        await page.getByText('12 sessions were ended').waitFor();
        await page.getByText('None of them is left.').waitFor();
        const states = await Promise.all(opened.map(async ({ id }) => (await server.session(id)).state));
        assert.deepEqual(new Set(states), new Set(['ended']));
        assert.equal((await server.session(later.id)).state, 'active');

        await page.getByRole('link', { name: 'Show it in the audit trail' }).click();
        await page.waitForURL(/\/admin\/audit\?action=sessions\.ended_in_bulk/);
        const { entries } = await server.call('GET', '/v1/audit?action=sessions.ended_in_bulk&limit=200');
        assert.equal(entries.filter((entry) => JSON.stringify(entry.detail).includes('"bulk"')).length, 1);
        await eventually(async () => assert.equal(await rows(page, 'Entries of the audit trail').count(), entries.length));
        await page.context().close();
    });

    test('the presets for the time after an incident are filters like any other', async () => {
        const page = await world.page('admin', '/admin/end');
        const presets = page.getByRole('group', { name: 'After an incident' });
        await presets.getByRole('button', { name: 'Opened by a key' }).click();
        await page.getByLabel('Service key', { exact: true }).selectOption({ label: 'Web login' });
        await page.getByRole('button', { name: 'Apply' }).click();
        await chip(page, 'Opened by').waitFor();
        await page.getByRole('button', { name: 'Count what this means' }).click();
        await page.getByText('7 sessions', { exact: true }).waitFor();
        await presets.getByRole('button', { name: 'From a network' }).click();
        await page.getByLabel('Address or network').fill('203.0.113.0/24');
        await page.getByRole('button', { name: 'Apply' }).click();
        assert.equal(await page.locator('.chip').count(), 1);
        const { revoked } = await dryRun({ ip_address: '203.0.113.0/24' });
        await page.getByRole('button', { name: 'Count what this means' }).click();
        await page.getByText(`${revoked} sessions`, { exact: true }).waitFor();
        await presets.getByRole('button', { name: 'Of an application' }).click();
        await page.locator('.popover').getByLabel('Application').fill('nobody-has-this');
        await page.getByRole('button', { name: 'Apply' }).click();
        await page.getByRole('button', { name: 'Count what this means' }).click();
        await page.getByText('No active session matches').waitFor();
        await presets.getByRole('button', { name: 'Everybody' }).click();
        await page.getByText('No filter is set: this means everybody').waitFor();
        await page.getByRole('button', { name: 'Count what this means' }).click();
        await page.getByText('Your own session of this console is one of them').waitFor();
        await page.context().close();
    });
}
