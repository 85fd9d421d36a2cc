import assert from 'node:assert/strict';
import { test } from 'node:test';

import { dialog, eventually, rows } from '../support/steps.mjs';

/** @param {import('../support/world.mjs').World} world */
export default function signIn(world) {
    const cookieOf = async (context) => (await context.cookies(world.base)).find(({ name }) => name.endsWith('sojourn-console'));
    const consoleSessions = async (key) => (await world.server.call('GET', `/v1/sessions?user_id=console:${key.id}&state=active`)).sessions;

    test('a key signs in, in a cookie that no script can read, and signs out', async () => {
        const page = await world.page(null, '/admin/users?search=1001', { awaited: [/status of 401/] });
        await page.getByLabel('Service key').fill(world.data.admin.secret);
        await page.getByRole('button', { name: 'Sign in' }).click();
        await rows(page, 'Users that were found').first().waitFor();
        assert.match(page.url(), /\/admin\/users\?search=1001$/, 'the place is kept');
        const { httpOnly, sameSite, path } = await cookieOf(page.context());
        assert.deepEqual([httpOnly, sameSite, path], [true, 'Strict', '/']);
        assert.equal(await page.evaluate(() => document.cookie + Object.values(localStorage).join() + Object.values(sessionStorage).join()), '');
        const before = await consoleSessions(world.data.admin.key);
        assert.ok(before.length >= 1);
        assert.ok(before.every((session) => session.client_id === 'sojourn-console' && !session.scope.includes('sessions:write')));
        await page.getByRole('button', { name: 'Sign out' }).click();
        await page.getByRole('heading', { name: 'Sign in to Sojourn' }).waitFor();
        assert.equal((await consoleSessions(world.data.admin.key)).length, before.length - 1);
        await page.context().close();
    });

    test('wrong, revoked and powerless keys get one answer', async () => {
        const page = await world.page(null, '/admin', { awaited: [/status of 401/] });
        const revoked = await world.server.makeKey('Revoked', 'sessions:admin');
        await world.server.call('DELETE', `/v1/keys/${revoked.key.id}`);
        for (const key of ['sjk_wrong', revoked.secret, world.data.login.secret]) {
            await page.getByLabel('Service key').fill(key);
            await page.getByRole('button', { name: 'Sign in' }).click();
            await page.locator('.field-error').filter({ hasText: 'This key cannot sign in here' }).waitFor();
            await page.getByLabel('Service key').fill('');
        }
        assert.equal(await cookieOf(page.context()), undefined);
        await page.context().close();
    });

    test('a link that a command prints signs in once, and leaves the address at once', async () => {
        const at = await world.server.consoleLink();
        const page = await world.page(null);
        await page.goto(at);
        await page.getByRole('heading', { name: 'Overview' }).waitFor();
        assert.equal(page.url(), `${world.base}/admin`);
        await page.context().close();
        const again = await world.page(null, undefined, { awaited: [/status of 401/] });
        await again.goto(at);
        await again.getByText('This link was used already').waitFor();
        await again.context().close();
    });

    test('an ended session and that of a revoked key go to the sign-in, and back to the place', async () => {
        const own = await world.server.makeKey('Ended soon', 'sessions:read');
        world.states.own = await world.signIn(own.secret);
        const page = await world.page('own', '/admin/users?search=100', { awaited: [/status of 401/] });
        await rows(page, 'Users that were found').first().waitFor();
        for (const { id } of await consoleSessions(own.key)) await world.server.call('DELETE', `/v1/sessions/${id}`);
        await page.getByRole('link', { name: /1001/ }).first().click();
        await page.getByLabel('Service key').fill(own.secret);
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.getByRole('heading', { name: 'Alice Martin' }).waitFor();
        assert.match(page.url(), /\/admin\/users\/1001$/);
        await world.server.call('DELETE', `/v1/keys/${own.key.id}`);
        assert.deepEqual(await consoleSessions(own.key), []);
        await page.getByRole('link', { name: 'Sessions', exact: true }).click();
        await page.getByRole('heading', { name: 'Sign in to Sojourn' }).waitFor();
        assert.match(page.url(), /\/admin\/sessions$/);
        await page.context().close();
    });

    test('a viewer sees no button that changes anything, and is refused by the API all the same', async () => {
        const { id } = await world.server.open('watched');
        const page = await world.page('viewer', '/admin/users/watched', { awaited: [/status of 40[34]/] });
        await page.getByRole('heading', { name: 'Active sessions' }).waitFor();
        const changing = /^(End|Ban|Delete|Revoke|Create|Change|Rotate|Extend|Rename|Lift)\b/;
        for (const at of ['/users/watched', `/sessions/${id}`, '/sessions', '/applications', '/live', '']) {
            await page.goto(`${world.base}/admin${at}`);
            await page.locator('main h1').waitFor();
            await eventually(async () => assert.equal(await page.locator('.loading, [aria-busy="true"]').count(), 0));
            const buttons = await page.getByRole('main').getByRole('button').allInnerTexts();
            assert.deepEqual(buttons.filter((name) => changing.test(name.trim())), [], at);
        }
        for (const hidden of ['End in bulk', 'Service keys', 'Audit trail', 'Settings']) {
            assert.equal(await page.getByRole('navigation').getByText(hidden).count(), 0, hidden);
        }
        const forged = (method, at, body = null) =>
            page.evaluate(
                async ([method, at, body]) => {
                    const headers = { 'x-sojourn-console': '1', ...(body && { 'content-type': 'application/json' }) };
                    return (await fetch(at, { method, headers, body })).status;
                },
                [method, at, body && JSON.stringify(body)],
            );
        // Somebody else's session is not there for those who may not end it.
        assert.ok([403, 404].includes(await forged('DELETE', `/v1/sessions/${id}`)));
        for (const request of [
            ['DELETE', '/v1/users/watched/sessions'],
            ['POST', '/v1/users/watched/ban'],
            ['DELETE', '/v1/users/watched'],
            ['POST', '/v1/sessions/revoke', { filter: { user_id: 'watched' } }],
            ['POST', '/v1/keys', { name: 'x', scope: 'sessions:read' }],
            ['DELETE', `/v1/keys/${world.data.viewer.key.id}`],
            ['POST', '/v1/signing-keys/rotate'],
            ['POST', '/v1/applications', { client_id: 'x' }],
            ['POST', '/v1/sessions', { user_id: 'x' }],
            ['GET', '/v1/settings'],
            ['GET', '/v1/audit'],
        ]) {
            assert.equal(await forged(...request), 403, request.join(' '));
        }
        assert.equal((await world.server.session(id)).state, 'active');
        await page.context().close();
    });

    test('a stolen cookie is good for nothing outside a page of the console', async () => {
        const cookie = `sojourn-console=${world.states.admin.cookies[0].value}`;
        const { id } = await world.server.open('not-ended');
        const try_ = async (headers) => (await world.server.raw('DELETE', `/v1/sessions/${id}`, headers)).status;
        const read = async (headers) => (await world.server.raw('GET', '/v1/users', headers)).status;
        const host = new URL(world.base).host;
        assert.equal(await read({ cookie, 'sec-fetch-site': 'same-origin' }), 200, 'the cookie itself is good');
        for (const headers of [
            { cookie },
            { cookie, 'sec-fetch-site': 'cross-site' },
            { cookie, 'sec-fetch-site': 'same-site', origin: `http://localhost:${host.split(':')[1]}` },
            { cookie, 'sec-fetch-site': 'none' },
            { cookie, origin: 'https://evil.example.org' },
            { authorization: `Bearer ${world.states.admin.cookies[0].value}` },
            { authorization: `Bearer ${world.states.admin.cookies[0].value}`, 'sec-fetch-site': 'same-origin' },
        ]) {
            const told = JSON.stringify({ ...headers, cookie: undefined });
            assert.ok([401, 403].includes(await read(headers)), `read with ${told}`);
            assert.ok([401, 403].includes(await try_(headers)), `DELETE with ${told}`);
        }
        assert.equal((await world.server.session(id)).state, 'active');
    });

    test('no page of another can have the console in a frame, and the answers forbid it', async () => {
        const { headers } = await world.server.raw('GET', '/admin/sessions');
        const policy = headers['content-security-policy'];
        for (const part of ["default-src 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'", "base-uri 'none'"]) {
            assert.ok(policy.includes(part), part);
        }
        assert.equal(/unsafe|\*|https?:/.test(policy), false);
        const others = ['cross-origin-opener-policy', 'cross-origin-resource-policy', 'referrer-policy', 'x-content-type-options', 'cache-control'];
        assert.deepEqual(others.map((name) => headers[name]), ['same-origin', 'same-origin', 'no-referrer', 'nosniff', 'no-store']);
        const context = await world.browser.newContext({ storageState: world.states.admin });
        const page = await context.newPage();
        await page.route('http://evil.example.org/', (route) =>
            route.fulfill({ contentType: 'text/html', body: `<iframe src="${world.base}/admin/sessions"></iframe>` }),
        );
        await page.goto('http://evil.example.org/');
        await eventually(() => assert.equal(page.frames().length, 2));
        await eventually(() => assert.match(page.frames()[1].url(), /^chrome-error:/));
        assert.equal(await page.frames()[1].locator('#console').count(), 0);
        await context.close();
    });

    test('a sign-in of long ago is asked for again where it matters', async () => {
        // The second sign-in ends the session of the first, which other tests need.
        world.states.twice = await world.signIn(world.data.admin.secret);
        const page = await world.page('twice', '/admin/keys', { awaited: [/status of 403/] });
        const problem = { type: 'urn:sojourn:problem:insufficient_user_authentication', title: 'Forbidden', status: 403, code: 'insufficient_user_authentication', detail: 'x' };
        await page.route('**/v1/keys', (route) => {
            if (route.request().method() !== 'POST') return route.continue();
            return route.fulfill({ status: 403, contentType: 'application/problem+json', body: JSON.stringify(problem) });
        });
        await page.getByRole('button', { name: 'Create a key' }).click();
        await dialog(page).getByLabel('Name').fill('After a second sign-in');
        await dialog(page).getByRole('button', { name: 'Create key' }).click();
        const again = page.getByRole('dialog', { name: 'Confirm with your key' });
        await again.getByLabel('Service key').fill(world.data.admin.secret);
        await page.unroute('**/v1/keys');
        await again.getByRole('button', { name: 'Continue' }).click();
        assert.match(await page.locator('.secret').innerText(), /^sjk_/);
        await page.context().close();
    });
}
