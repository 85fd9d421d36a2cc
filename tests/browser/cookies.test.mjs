// A page at a listed origin signs in by cookie, lists and signs out; a page of a stranger can do none of it, not even one of
// the same site, whose requests carry the cookie.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

// However slow the machine is, this is long enough; nothing waits for it unless something is wrong.
const PATIENCE = 120_000;
const COOKIE = '__Host-session';
const key = randomBytes(24).toString('hex');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sojourn-browser-'));
let server, browser, base;
const pages = [];

/** Listens on a free port of the loopback interface. */
async function listen(handler) {
    const listener = http.createServer(handler);
    await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
    pages.push(listener);
    return listener.address().port;
}

async function freePort() {
    const port = await listen(() => {});
    await new Promise((resolve) => pages.pop().close(resolve));
    return port;
}

/** What a backend with the service key asks of the server. */
const asService = (method, at, body) =>
    fetch(`http://127.0.0.1:${new URL(base).port}${at}`, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: body && JSON.stringify(body),
    });

/** A page, and its backend: /in/{tokens} signs in at the server and passes on what the browser is to get. */
async function application(request, response) {
    const [, tokens] = request.url.match(/^\/in\/(\w+)$/) ?? [];
    if (!tokens) return response.setHeader('content-type', 'text/html').end('<!doctype html><title>page</title>');
    const opened = await asService('POST', '/v1/sessions', { user_id: 'alice', tokens, scope: 'sessions:admin' });
    response.setHeader('set-cookie', opened.headers.getSetCookie());
    return response.end(await opened.text());
}

let app, sameSiteStranger, otherSiteStranger;

before(async () => {
    app = `http://localhost:${await listen(application)}`;
    sameSiteStranger = `http://localhost:${await listen(application)}`;
    otherSiteStranger = `http://127.0.0.1:${await listen(application)}`;
    const port = await freePort();
    base = `http://localhost:${port}`;
    const env = {
        SOJOURN_LISTEN: `127.0.0.1:${port}`,
        SOJOURN_ISSUER: base,
        SOJOURN_BOOTSTRAP_KEY: key,
        SOJOURN_SECRET: randomBytes(32).toString('base64'),
        SOJOURN_COOKIE: COOKIE,
        SOJOURN_CORS_ORIGINS: app,
        SOJOURN_LOG: 'warn',
    };
    server = spawn(process.env.SOJOURN_BINARY, ['serve'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve, reject) => {
        server.once('exit', (status) => reject(new Error(`the server did not start: ${status}`)));
        server.stdout.on('data', (text) => String(text).includes('listens on') && resolve());
    });
    const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
    args.push('--disable-component-update', '--disable-sync');
    browser = await chromium.launch({ executablePath: process.env.SOJOURN_CHROMIUM, headless: true, args });
});

after(async () => {
    await browser?.close();
    server?.kill('SIGKILL');
    for (const page of pages) page.closeAllConnections();
    for (const page of pages) page.close();
    fs.rmSync(folder, { recursive: true, force: true });
});

/** A browser of its own, whose page has just signed in by cookie. */
async function signedIn() {
    const context = await browser.newContext();
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    await page.goto(app);
    const opened = await page.evaluate(async () => (await fetch('/in/cookie', { method: 'POST' })).json());
    assert.equal(opened.session_token, undefined);
    return { context, page, id: opened.session.id };
}

/** A call of a page at the server, with cookies: its status and text, or `refused` where the browser hides the answer. */
const call = (page, method, at, options = {}) =>
    page.evaluate(
        async ([url, options]) => {
            try {
                const response = await fetch(url, { credentials: 'include', ...options });
                return { status: response.status, text: await response.text() };
            } catch {
                return 'refused';
            }
        },
        [base + at, { method, ...options }],
    );

const cookies = async (context) => (await context.cookies(base)).filter((cookie) => cookie.name === COOKIE);

const isActive = async (id) => (await (await asService('GET', `/v1/sessions/${id}`)).json()).state === 'active';

test('a page at a listed origin signs in by cookie, lists and signs out', async () => {
    const { context, page, id } = await signedIn();
    const [cookie] = await cookies(context);
    const { httpOnly, secure, sameSite, expires, path: of } = cookie;
    assert.deepEqual([httpOnly, secure, sameSite, expires, of], [true, true, 'Lax', -1, '/']);
    assert.equal(await page.evaluate(() => document.cookie), '');
    const listed = await call(page, 'GET', '/v1/me/sessions');
    assert.deepEqual([listed.status, JSON.parse(listed.text).sessions.some((session) => session.id === id)], [200, true]);
    assert.equal((await call(page, 'DELETE', '/v1/session/cookie')).status, 204);
    assert.deepEqual(await cookies(context), []);
    assert.equal(await isActive(id), false);
    assert.equal((await call(page, 'GET', '/v1/me')).status, 401);
    await context.close();
});

test('a page puts its session token into a cookie, and an ending of all sessions takes the cookie away', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(app);
    const opened = await page.evaluate(async () => (await fetch('/in/session', { method: 'POST' })).json());
    const headers = { authorization: `Bearer ${opened.session_token}` };
    assert.equal((await call(page, 'POST', '/v1/session/cookie', { headers })).status, 204);
    assert.equal((await cookies(context))[0].value, opened.session_token);
    assert.equal((await call(page, 'DELETE', '/v1/me/sessions')).status, 200);
    assert.deepEqual(await cookies(context), []);
    assert.equal(await isActive(opened.session.id), false);
    await context.close();
});

test('the page of a stranger reads nothing and changes nothing', async () => {
    const { context, id } = await signedIn();
    for (const stranger of [sameSiteStranger, otherSiteStranger]) {
        const page = await context.newPage();
        await page.goto(stranger);
        for (const [method, at] of [
            ['GET', '/v1/me/sessions'],
            ['DELETE', '/v1/me/sessions'],
            ['DELETE', '/v1/session/cookie'],
            ['POST', '/v1/users/alice/ban'],
        ]) {
            assert.equal(await call(page, method, at), 'refused', `${method} ${at} from ${stranger}`);
        }
        // No preflight comes before this one, and the browser of a page of the same site adds the cookie.
        const sent = page.waitForResponse((response) => response.url().endsWith('/ban'));
        await call(page, 'POST', '/v1/users/alice/ban', { mode: 'no-cors' });
        assert.equal((await sent).status(), stranger === sameSiteStranger ? 403 : 401);
        assert.equal(await isActive(id), true, stranger);
    }
    assert.equal((await cookies(context)).length, 1);
    await context.close();
});
