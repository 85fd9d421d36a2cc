// The account page in a browser: without scripts everything works, with them a session that is ended elsewhere disappears at
// once; axe finds nothing, nothing is reported, and nothing is loaded from elsewhere. Pictures go to target/account.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import AxeBuilder from '@axe-core/playwright';
import { chromium } from 'playwright-core';

// However slow the machine is, this is long enough; nothing waits for it unless something is wrong.
const PATIENCE = 120_000;
const COOKIE = '__Host-session';
const MOST_BYTES = 15 * 1024;
const key = randomBytes(24).toString('hex');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sojourn-account-'));
const pictures = process.env.SOJOURN_PICTURES ?? path.join(folder, 'pictures');
const complaints = [];
let server, browser, base;

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0';
const IPHONE =
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1';
const EDGE =
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0';

async function freePort() {
    const listener = http.createServer(() => {});
    await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address();
    await new Promise((resolve) => listener.close(resolve));
    return port;
}

/** What a backend with the service key asks of the server. */
async function asService(method, at, body) {
    const response = await fetch(`http://127.0.0.1:${new URL(base).port}${at}`, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: body && JSON.stringify(body),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${at}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
}

const open = (user, userAgent, more = {}) =>
    asService('POST', '/v1/sessions', { user_id: user, tokens: 'session', user_agent: userAgent, ...more });

const isActive = async (id) => (await asService('GET', `/v1/sessions/${id}`)).state === 'active';

/** Sessions as people have them, the last of which is this browser's. */
async function sessionsOf(user) {
    const ended = await open(user, EDGE, { location: 'Lisbon, Portugal', client_id: 'shop' });
    const phone = await open(user, IPHONE, { location: 'Hamburg, Germany', client_id: 'shop', ip_address: '198.51.100.23' });
    const desk = await open(user, EDGE, { location: 'Berlin, Germany', client_id: 'shop', ip_address: '2001:db8:85a3::8a2e:370:7334', device_name: 'Office "PC" <3' });
    const tv = await open(user, 'Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) 76.0.3809.146/6.0 TV Safari/537.36');
    const mine = await open(user, FIREFOX, { location: 'Berlin, Germany', client_id: 'shop', ip_address: '203.0.113.7' });
    await asService('DELETE', `/v1/sessions/${ended.session.id}`);
    return { phone: phone.session.id, desk: desk.session.id, tv: tv.session.id, mine: mine.session.id, token: mine.session_token };
}

/** A page of a browser that has the cookie, whose every complaint is a failure. */
async function visit({ token, ...options } = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    context.setDefaultTimeout(PATIENCE);
    if (token) await context.addCookies([{ name: COOKIE, value: token, domain: 'localhost', path: '/', httpOnly: true, secure: true, sameSite: 'Lax' }]);
    const page = await context.newPage();
    page.on('console', (message) => {
        // The browser itself notes an answer of 401, which is the page of whoever is not signed in.
        if (message.type() === 'error' && !message.text().includes('status of 401')) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
        if (new URL(request.url()).origin !== base) complaints.push(`a request to ${request.url()}`);
    });
    return page;
}

const rows = (page) => page.locator('[data-session]').evaluateAll((rows) => rows.map((row) => row.dataset.session));

const row = (page, id) => page.locator(`[data-session="${id}"]`);

before(async () => {
    const port = await freePort();
    base = `http://localhost:${port}`;
    fs.mkdirSync(pictures, { recursive: true });
    const env = {
        SOJOURN_LISTEN: `127.0.0.1:${port}`,
        SOJOURN_ISSUER: base,
        SOJOURN_BOOTSTRAP_KEY: key,
        SOJOURN_SECRET: randomBytes(32).toString('base64'),
        SOJOURN_COOKIE: COOKIE,
        SOJOURN_ACCOUNT_NAME: 'Example Shop',
        SOJOURN_ACCOUNT_RETURN: '/account/sessions',
        SOJOURN_LOG: 'warn',
    };
    server = spawn(process.env.SOJOURN_BINARY, ['serve'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve, reject) => {
        server.once('exit', (status) => reject(new Error(`the server did not start: ${status}`)));
        server.stdout.on('data', (text) => String(text).includes('listens on') && resolve());
    });
    await asService('POST', '/v1/applications', { client_id: 'shop', name: 'Example Shop' });
    const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
    args.push('--disable-component-update', '--disable-sync');
    browser = await chromium.launch({ executablePath: process.env.SOJOURN_CHROMIUM, headless: true, args });
});

after(async () => {
    await browser?.close();
    server?.kill('SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
});

test('without scripts the page lists, names, ends one, ends the others and signs out', async () => {
    const { phone, desk, tv, mine, token } = await sessionsOf('alice');
    const page = await visit({ token, javaScriptEnabled: false });
    await page.goto(`${base}/account/sessions`);
    assert.deepEqual(await rows(page), [mine, tv, desk, phone]);
    assert.match(await page.locator('[data-current]').innerText(), /Firefox 145 on Linux[^]*Berlin, Germany[^]*Example Shop[^]*Active now/);
    assert.match(await row(page, desk).innerText(), /Office "PC" <3[^]*Edge 142 on Windows/);

    await row(page, phone).getByText('Rename').click();
    await row(page, phone).getByLabel('Name of the device').fill('My phone');
    await row(page, phone).getByRole('button', { name: 'Save' }).click();
    await page.getByText('The name was saved.').waitFor();
    assert.match(await row(page, phone).innerText(), /My phone/);

    await row(page, desk).getByRole('button', { name: 'End' }).click();
    await page.getByText('The session was ended.').waitFor();
    assert.deepEqual([await isActive(desk), await rows(page)], [false, [mine, tv, phone]]);

    await page.getByRole('button', { name: 'Sign out everywhere else' }).click();
    await page.getByText('You were signed out on 2 other devices.').waitFor();
    assert.deepEqual(await Promise.all([phone, tv, mine].map(isActive)), [false, false, true]);

    await row(page, mine).getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out').waitFor();
    assert.equal(await isActive(mine), false);
    assert.deepEqual(await page.context().cookies(base), []);
    await page.context().close();
});

test('with a script a session that is ended elsewhere disappears at once, and so does the page with its own', async () => {
    const { phone, desk, tv, mine, token } = await sessionsOf('bob');
    const page = await visit({ token });
    const listening = page.waitForResponse((response) => response.url().endsWith('/account/events'));
    await page.goto(`${base}/account/sessions`);
    await listening;
    await page.evaluate(() => (window.isTheSame = true));
    await asService('DELETE', `/v1/sessions/${phone}`);
    await row(page, phone).waitFor({ state: 'detached' });
    assert.deepEqual(await rows(page), [mine, tv, desk]);
    assert.equal(await page.locator('[data-live]').textContent(), 'A session was ended elsewhere.');
    for (const id of [desk, tv]) await asService('DELETE', `/v1/sessions/${id}`);
    await page.getByText('You are signed in nowhere else.').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Sign out everywhere else' }).isVisible(), false);
    assert.equal(await page.evaluate(() => window.isTheSame), true, 'it was not loaded again');
    await asService('DELETE', `/v1/sessions/${mine}`);
    await page.getByText('You are not signed in').waitFor();
    await page.context().close();
});

test('a link opens the page in another browser, by a button', async () => {
    const { phone, mine } = await sessionsOf('carol');
    const { url } = await asService('POST', '/v1/users/carol/account-link');
    const page = await visit({ javaScriptEnabled: false });
    await page.goto(url);
    await page.screenshot({ path: path.join(pictures, 'link-1280-light.png') });
    await page.getByRole('button', { name: 'Continue' }).click();
    await row(page, phone).waitFor();
    const [cookie] = await page.context().cookies(base);
    assert.deepEqual([cookie.name, cookie.httpOnly, cookie.secure, cookie.sameSite], ['__Host-sojourn-account', true, true, 'Strict']);
    await page.screenshot({ path: path.join(pictures, 'visit-1280-light.png'), fullPage: true });
    await row(page, mine).getByRole('button', { name: 'End' }).click();
    await page.getByText('The session was ended.').waitFor();
    assert.equal(await isActive(mine), false);
    await page.getByRole('button', { name: 'Close the page' }).click();
    await page.getByRole('heading', { name: 'The page is closed' }).waitFor();
    await page.goto(url);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('This link opens nothing any more').waitFor();
    await page.context().close();
});

test('axe finds nothing on any page, in either theme, at either width, in any language', async () => {
    const { phone, token } = await sessionsOf('dave');
    for (const locale of ['en-GB', 'de-DE', 'ar-EG']) {
        for (const colorScheme of ['light', 'dark']) {
            for (const width of [1280, 375, 320]) {
                const page = await visit({ token, locale, colorScheme, viewport: { width, height: 800 }, reducedMotion: 'reduce' });
                const look = async (name) => {
                    await page.screenshot({ path: path.join(pictures, `${name}-${locale.slice(0, 2)}-${width}-${colorScheme}.png`), fullPage: true });
                    const { violations } = await new AxeBuilder({ page }).analyze();
                    assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], `${name} ${locale} ${colorScheme} ${width}`);
                    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
                    assert.equal(overflow, 0, `${name} scrolls sideways at ${width}`);
                };
                await page.goto(`${base}/account/sessions?done=ended`);
                await look('sessions');
                for (const summary of await row(page, phone).locator('summary').all()) await summary.click();
                const small = await page.locator('button, summary, input, .top a').evaluateAll((targets) =>
                    targets.filter((target) => target.offsetParent && Math.min(target.offsetHeight, target.offsetWidth) < 24).map((target) => target.outerHTML),
                );
                assert.deepEqual(small, [], 'targets are 24 px at least');
                await look('open');
                await page.context().clearCookies();
                await page.goto(`${base}/account/sessions`);
                await look('signed-out');
                await page.context().close();
            }
        }
    }
});

test('the page and its files are small, and the keyboard reaches every button', async () => {
    const { token } = await sessionsOf('erin');
    const page = await visit({ token });
    const bodies = [];
    page.on('response', (response) => {
        if (!response.url().endsWith('/events')) bodies.push(response.body());
    });
    await page.goto(`${base}/account/sessions`, { waitUntil: 'load' });
    const bytes = (await Promise.all(bodies)).reduce((sum, body) => sum + gzipSync(body).length, 0);
    console.log(`the page and its files: ${bytes} bytes by gzip, at most ${MOST_BYTES}`);
    assert.ok(bodies.length > 3 && bytes <= MOST_BYTES, `${bodies.length} files, ${bytes} bytes`);
    const targets = await page.locator('a:visible, button:visible, summary:visible').count();
    const reached = new Set();
    for (let step = 0; step < targets; step += 1) {
        await page.keyboard.press('Tab');
        reached.add(await page.evaluate(() => document.activeElement.outerHTML + document.activeElement.getBoundingClientRect().top));
    }
    assert.equal(reached.size, targets);
    await page.context().close();
});

test('nothing complained in the whole run', () => assert.deepEqual(complaints, []));
