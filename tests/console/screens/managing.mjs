import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';

import { addChip, dialog, eventually, rows, told } from '../support/steps.mjs';

/** @param {import('../support/world.mjs').World} world */
export default function managing(world) {
    const api = (...request) => world.server.call(...request);

    test('users are found by the beginning of an id, by email and by their ban', async () => {
        const page = await world.page('admin', '/admin/users');
        await rows(page, 'Users that were found').first().waitFor();
        await page.getByLabel('Search users').fill('10');
        await page.keyboard.press('Enter');
        await page.waitForURL(/search=10/);
        await eventually(async () => assert.equal(await rows(page, 'Users that were found').count(), 40));
        await addChip(page, 'Email address', 'user1007@example.org');
        await eventually(async () => assert.equal(await rows(page, 'Users that were found').count(), 1));
        await page.goto(`${world.base}/admin/users?banned=true`);
        await page.getByRole('link', { name: 'Mallory' }).click();
        await page.waitForURL(/\/admin\/users\/banned-1$/);
        await page.getByText('Banned since').waitFor();
        await page.context().close();
    });

    test('pages of users go forward and back', async () => {
        const page = await world.page('viewer', '/admin/users?search=');
        const list = async () => (await rows(page, 'Users that were found').locator('th').allInnerTexts()).join();
        await rows(page, 'Users that were found').first().waitFor();
        const first = await list();
        await page.getByRole('button', { name: 'Next' }).click();
        await eventually(async () => assert.notEqual(await list(), first));
        await page.getByRole('button', { name: 'Back' }).click();
        await eventually(async () => assert.equal(await list(), first));
        await page.context().close();
    });

    test('one, some, the others and all sessions of a user are ended', async () => {
        const opened = await Promise.all([1, 2, 3, 4, 5].map((n) => world.server.open('many', { device_name: `Device ${n}` })));
        const active = async () => (await api('GET', '/v1/users/many/sessions')).sessions.map(({ device }) => device.name).sort();
        const page = await world.page('admin', '/admin/users/many');
        await page.getByRole('button', { name: 'End the session on Device 1' }).click();
        await dialog(page).getByRole('button', { name: 'End session' }).click();
        await told(page, /1 session of many was ended/);
        assert.deepEqual(await active(), ['Device 2', 'Device 3', 'Device 4', 'Device 5']);
        await page.getByLabel(`Select ${opened[1].id}`).check();
        await page.getByRole('button', { name: /^End 1 selected/ }).click();
        await dialog(page).getByRole('button', { name: 'End 1 session' }).click();
        await eventually(async () => assert.deepEqual(await active(), ['Device 3', 'Device 4', 'Device 5']));
        await page.getByLabel(`Select ${opened[2].id}`).check();
        await page.getByRole('button', { name: /^End the 2 others/ }).click();
        await dialog(page).getByRole('button', { name: 'End 2 sessions' }).click();
        await told(page, /2 sessions of many were ended/);
        assert.deepEqual(await active(), ['Device 3']);
        await page.getByRole('button', { name: /^End all …/ }).click();
        await dialog(page).getByRole('button', { name: 'End all sessions' }).click();
        await page.getByText('Not signed in anywhere').waitFor();
        assert.deepEqual(await active(), []);
        await page.context().close();
    });

    test('a ban with a reason ends the sessions, and is lifted again', async () => {
        await world.server.open('trouble', { user: { name: 'Tom Trouble' } });
        const page = await world.page('admin', '/admin/users/trouble');
        await page.getByRole('button', { name: 'Ban', exact: true }).click();
        await dialog(page).getByText('Ends 1 active session').waitFor();
        await dialog(page).getByLabel('Reason').fill('sends <b>spam</b>');
        await dialog(page).getByRole('button', { name: 'Ban', exact: true }).click();
        await told(page, /Tom Trouble is banned, and 1 session was ended/);
        await page.getByText('sends <b>spam</b>').waitFor();
        const user = await api('GET', '/v1/users/trouble');
        assert.deepEqual([user.banned, user.ban_reason], [true, 'sends <b>spam</b>']);
        await page.getByRole('button', { name: 'Lift the ban' }).click();
        await dialog(page).getByRole('button', { name: 'Lift the ban' }).click();
        await told(page, /Tom Trouble may sign in again/);
        assert.equal((await api('GET', '/v1/users/trouble')).banned, false);
        await page.context().close();
    });

    test('an unknown user can be banned before a first sign-in', async () => {
        const page = await world.page('admin', '/admin/users?search=never-seen', { awaited: [/status of 404/] });
        await page.getByText('No user matches').waitFor();
        await page.getByRole('link', { name: /never-seen/ }).click();
        await page.getByText('Nothing is stored about this user').waitFor();
        await page.getByRole('button', { name: 'Ban', exact: true }).click();
        await dialog(page).getByRole('button', { name: 'Ban', exact: true }).click();
        await told(page, /never-seen is banned, and 0 sessions were ended/);
        assert.equal((await api('GET', '/v1/users/never-seen')).banned, true);
        await page.context().close();
    });

    test('a user is exported as a file, and deleted with its personal data', async () => {
        const { id } = await world.server.open('leaving', { user: { name: 'Lea' }, ip_address: '192.0.2.77' });
        const page = await world.page('admin', '/admin/users/leaving');
        const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Export' }).click()]);
        assert.equal(file.suggestedFilename(), 'user-leaving.json');
        const exported = JSON.parse(fs.readFileSync(await file.path(), 'utf8'));
        assert.deepEqual([exported.user.name, exported.sessions[0].id], ['Lea', id]);
        await page.getByRole('button', { name: 'Delete …' }).click();
        const remove = dialog(page).getByRole('button', { name: /^Delete/ });
        assert.equal(await remove.isDisabled(), true);
        await dialog(page).getByLabel(/Erase personal data/).check();
        await dialog(page).getByLabel('Type leaving to confirm').fill('leaving');
        await remove.click();
        await told(page, /Lea was deleted, 1 session was ended, and personal data was erased from 1/);
        await page.waitForURL(/\/admin\/users$/);
        const session = await world.server.session(id);
        assert.deepEqual([session.state, session.ip_address ?? null], ['ended', null]);
        await page.context().close();
    });

    test('a key is shown once, works, and is revoked together with the sessions that it opened', async () => {
        const page = await world.page('admin', '/admin/keys');
        await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
        await page.getByRole('button', { name: 'Create a key' }).click();
        await dialog(page).getByLabel('Name').fill('Made in the console');
        await dialog(page).getByLabel(/sessions:write/).check();
        await dialog(page).getByLabel('Expires after').selectOption({ label: '30 days' });
        await dialog(page).getByRole('button', { name: 'Create key' }).click();
        const secret = await dialog(page).locator('.secret').innerText();
        assert.match(secret, /^sjk_/);
        await dialog(page).getByRole('button', { name: 'Copy the key' }).click();
        await eventually(async () => assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret));
        await page.keyboard.press('Escape');
        await dialog(page).getByText('Once this is closed nobody can see it again').waitFor();
        await dialog(page).getByRole('button', { name: 'I have stored it' }).click();
        await told(page, /The key Made in the console was created/);
        assert.equal((await page.content()).includes(secret), false);
        const { id } = await world.server.open('opened-by-key', {}, secret);
        const { keys } = await api('GET', '/v1/keys');
        const made = keys.find((key) => key.name === 'Made in the console');
        assert.equal(made.scope, 'sessions:read sessions:write');
        assert.equal(Math.round((Date.parse(made.expires_at) - Date.parse(made.created_at)) / 86_400_000), 30);

        await page.getByRole('button', { name: 'Revoke Made in the console' }).click();
        await dialog(page).getByText('It opened 1 session that is active').waitFor();
        await dialog(page).getByLabel('End the sessions that it opened').check();
        await dialog(page).getByRole('button', { name: 'Revoke', exact: true }).click();
        await told(page, /The key Made in the console is revoked, and 1 session was ended/);
        assert.equal((await world.server.session(id)).state, 'ended');
        await assert.rejects(() => world.server.open('somebody', {}, secret), /401/);
        await page.context().close();
    });

    test('an application is created, changed and deleted', async () => {
        const page = await world.page('admin', '/admin/applications');
        await page.getByRole('button', { name: 'Create an application' }).click();
        await dialog(page).getByLabel('client_id').fill('made-here');
        await dialog(page).getByLabel('Name').fill('Made here');
        await dialog(page).getByLabel('Unused at most').fill('900');
        await dialog(page).getByLabel('Audiences').fill('https://one.example.org\nhttps://two.example.org');
        await dialog(page).getByRole('button', { name: 'Create application' }).click();
        await told(page, /The application Made here was created/);
        const made = await api('GET', '/v1/applications/made-here');
        assert.deepEqual([made.idle_timeout, made.audiences], [900, ['https://one.example.org', 'https://two.example.org']]);
        await page.getByRole('button', { name: 'Change Made here' }).click();
        await dialog(page).getByLabel('Unused at most').fill('');
        await dialog(page).getByLabel('Scope').fill('profile');
        await dialog(page).getByRole('button', { name: 'Save' }).click();
        await told(page, /The application Made here was changed/);
        const changed = await api('GET', '/v1/applications/made-here');
        assert.deepEqual([changed.idle_timeout ?? null, changed.scope], [null, 'profile']);
        await page.getByRole('button', { name: 'Delete Made here' }).click();
        await dialog(page).getByRole('button', { name: 'Delete', exact: true }).click();
        await told(page, /The record of Made here was deleted/);
        await assert.rejects(() => api('GET', '/v1/applications/made-here'), /404/);
        await page.context().close();
    });

    test('a field that the server refuses says so in its place', async () => {
        const page = await world.page('admin', '/admin/applications', { awaited: [/status of 422/] });
        await page.getByRole('button', { name: 'Create an application' }).click();
        await dialog(page).getByLabel('client_id').fill('refused');
        await dialog(page).getByLabel('Cookie').fill('not a name;');
        await dialog(page).getByRole('button', { name: 'Create application' }).click();
        await dialog(page).locator('.field-error').waitFor();
        assert.equal(await dialog(page).getByLabel('Cookie').getAttribute('aria-invalid'), 'true');
        await page.context().close();
    });

    test('signing keys rotate, and rotate as compromised when the word is typed', async () => {
        const page = await world.page('admin', '/admin/signing');
        await eventually(async () => assert.equal(await rows(page, 'Signing keys').count(), 1));
        await page.getByRole('button', { name: 'Rotate …' }).click();
        await dialog(page).getByRole('button', { name: 'Rotate', exact: true }).click();
        await told(page, /was made and signs in ten minutes/);
        await eventually(async () => assert.equal(await rows(page, 'Signing keys').count(), 2));
        await page.getByText('Published, signs soon').waitFor();
        await page.getByRole('button', { name: 'Rotate as compromised …' }).click();
        const replace = dialog(page).getByRole('button', { name: 'Replace the keys now' });
        assert.equal(await replace.isDisabled(), true);
        await dialog(page).getByLabel('Type compromised to confirm').fill('compromised');
        await replace.click();
        await told(page, /signs from now on, and every earlier access token is invalid/);
        await eventually(async () => assert.equal(await rows(page, 'Signing keys').count(), 1));
        await page.context().close();
    });

    test('the audit trail says who did what, is filtered by chips, and is copied as JSON lines', async () => {
        const page = await world.page('admin', '/admin/audit');
        await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
        await addChip(page, 'What', 'User banned');
        await addChip(page, 'To whom', 'trouble');
        await eventually(async () => assert.equal(await rows(page, 'Entries of the audit trail').count(), 1));
        const line = await rows(page, 'Entries of the audit trail').first().innerText();
        assert.match(line, /User banned/);
        assert.ok(line.includes(`console:${world.data.admin.key.id}`), line);
        await page.getByRole('button', { name: 'Copy as JSON lines' }).click();
        const copied = await eventually(async () => JSON.parse(await page.evaluate(() => navigator.clipboard.readText())));
        assert.deepEqual([copied.action, copied.target], ['user.banned', { type: 'user', id: 'trouble' }]);
        await page.context().close();
    });

    test('settings say where they come from, and no secret', async () => {
        const page = await world.page('admin', '/admin/settings');
        await rows(page, 'Settings').first().waitFor();
        const text = await page.locator('main').innerText();
        assert.match(text, /SOJOURN_SECRET/);
        assert.equal([world.server.settings.SOJOURN_SECRET, world.server.key].some((secret) => text.includes(secret)), false);
        await page.getByText('Changed', { exact: true }).click();
        await page.getByLabel('Search settings').fill('listen');
        await eventually(async () => assert.ok((await rows(page, 'Settings').count()) >= 1));
        const listen = await rows(page, 'Settings').filter({ hasText: 'SOJOURN_LISTEN' }).first().innerText();
        assert.match(listen, new RegExp(`${new URL(world.base).host}[\\s\\S]*Environment`));
        await page.context().close();
    });
}
