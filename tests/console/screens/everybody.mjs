import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { AxeBuilder } from '@axe-core/playwright';

import { looks } from '../support/looks.mjs';
import { dialog, eventually, rows, tabTo } from '../support/steps.mjs';

const WIDTHS = [1280, 375];
const THEMES = ['light', 'dark'];
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const COLOURS = ['color-contrast', 'link-in-text-block'];
const folder = path.resolve('screenshots');

/** Waits until nothing loads any more, so that what is looked at is the screen and not its beginning. */
async function settled(page) {
    await page.locator('h1').first().waitFor();
    await eventually(async () => assert.equal(await page.locator('.loading, [aria-busy="true"]').count(), 0));
    await page.evaluate(() => Promise.all(document.getAnimations().filter((each) => each.effect?.getTiming().iterations !== Infinity).map((each) => each.finished.catch(() => {}))));
}

/** @param {import('../support/world.mjs').World} world */
export default function everybody(world) {
    test('axe finds nothing on any screen and state, in both themes and widths, and none is wider than its window', async (test) => {
        fs.rmSync(folder, { recursive: true, force: true });
        fs.mkdirSync(folder, { recursive: true });
        const found = [];
        let pages = 0;
        const check = async (page, name, width, theme) => {
            await page.setViewportSize({ width, height: 860 });
            await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
            const axe = new AxeBuilder({ page }).setLegacyMode();
            // Rules that do not look at colours find the same in both themes.
            const { violations } = await (theme === 'light' ? axe.withTags(RULES) : axe.withRules(COLOURS)).analyze();
            const told = (node) => `${node.target} ${node.any[0]?.message ?? ''}`;
            found.push(...violations.map(({ id, nodes }) => `${name} ${width} ${theme}: ${id} ${nodes.slice(0, 3).map(told).join(' | ')}`));
            await page.screenshot({ path: path.join(folder, `${name}-${width}-${theme}.png`) });
            pages += 1;
        };
        const look = async ([name, at, { act, who = 'admin', awaited } = {}]) => {
            const page = await world.page(who || null, at, { awaited, reducedMotion: 'reduce' });
            await settled(page);
            await act?.(page);
            await settled(page);
            for (const width of WIDTHS) for (const theme of THEMES) await check(page, name, width, theme);
            await page.setViewportSize({ width: 320, height: 700 });
            const wide = await page.evaluate(() => {
                const beyond = [...document.querySelectorAll('main *')].find((each) => each.getBoundingClientRect().right > 321);
                return document.documentElement.scrollWidth > 320 && (beyond?.outerHTML.slice(0, 200) ?? 'all');
            });
            if (wide) found.push(`${name} is wider than a window of 320: ${wide}`);
            await page.context().close();
        };
        const left = [...looks(world)];
        // Two at a time, as the machine of a test has two cores at least.
        const inTurn = async () => {
            for (let next = left.shift(); next; next = left.shift()) await look(next);
        };
        await Promise.all([inTurn(), inTurn()]);
        test.diagnostic(`axe: ${pages} looks at ${looks(world).length} screens and states, ${found.length} findings`);
        assert.deepEqual(found, []);
    });

    test('the screenshots are laid out on one sheet', async () => {
        const context = await world.browser.newContext({ viewport: { width: 1680, height: 1000 } });
        const page = await context.newPage();
        const pictures = looks(world).map(([name]) => {
            const shots = WIDTHS.flatMap((width) => THEMES.map((theme) => `<img src="${name}-${width}-${theme}.png" height="420">`));
            return `<h2>${name}</h2><div>${shots.join('')}</div>`;
        });
        const style = 'body{margin:16px;font:14px system-ui;background:#888}div{display:flex;gap:8px}img{object-fit:cover;object-position:top;max-width:640px}h2{margin:16px 0 4px;font-size:14px}';
        const sheet = path.join(folder, 'sheet.html');
        fs.writeFileSync(sheet, `<!doctype html><meta charset="utf-8"><title>Screens</title><style>${style}</style>${pictures.join('\n')}`);
        await page.goto(`file://${sheet}`);
        await page.screenshot({ path: path.join(folder, 'sheet.png'), fullPage: true });
        await context.close();
    });

    test('by keyboard alone: sign in, find a session, open it, end it', async () => {
        const session = await world.server.open('keyboard', { device_name: 'By keyboard' });
        const page = await world.page(null, '/admin', { awaited: [/status of 401/] });
        const { keyboard } = page;
        await page.getByLabel('Service key').waitFor();
        assert.equal(await page.evaluate(() => document.activeElement.id === document.querySelector('input[type=password]').id), true);
        await keyboard.type(world.data.admin.secret);
        await keyboard.press('Enter');
        await page.getByRole('heading', { name: 'Overview' }).waitFor();
        await keyboard.press('/');
        await page.getByRole('heading', { name: 'Sessions' }).waitFor();
        await eventually(async () => assert.equal(await page.evaluate(() => document.activeElement.hasAttribute('data-search')), true));
        await keyboard.type('keyboard');
        await keyboard.press('Enter');
        await eventually(async () => assert.equal(await rows(page, 'Sessions that were found').count(), 1));
        await tabTo(page, page.getByRole('link', { name: 'By keyboard' }));
        await keyboard.press('Enter');
        await page.getByRole('heading', { name: 'By keyboard' }).waitFor();
        await tabTo(page, page.getByRole('button', { name: 'End session' }));
        await keyboard.press('Enter');
        await dialog(page).waitFor();
        await keyboard.press('Escape');
        await dialog(page).waitFor({ state: 'detached' });
        assert.equal(await page.getByRole('button', { name: 'End session' }).evaluate((button) => button === document.activeElement), true, 'the focus comes back');
        await keyboard.press('Enter');
        await tabTo(page, dialog(page).getByRole('button', { name: 'End session' }));
        await keyboard.press('Enter');
        await page.getByText('The session was ended.').waitFor();
        assert.equal((await world.server.session(session.id)).state, 'ended');
        await page.context().close();
    });

    test('by keyboard alone: end all sessions of an application', async () => {
        await Promise.all([1, 2, 3].map((n) => world.server.open(`keys-${n}`, { client_id: 'by-keyboard' })));
        const page = await world.page('admin', '/admin/end');
        const { keyboard } = page;
        await page.getByRole('heading', { name: 'End in bulk' }).waitFor();
        await tabTo(page, page.getByRole('button', { name: /Of an application/ }));
        await keyboard.press('Enter');
        await eventually(async () => assert.equal(await page.evaluate(() => document.activeElement.tagName), 'INPUT'));
        await keyboard.type('by-keyboard');
        await keyboard.press('Enter');
        await tabTo(page, page.getByRole('button', { name: 'Count what this means' }));
        await keyboard.press('Enter');
        const field = page.getByLabel('Type 3 to confirm');
        await field.waitFor();
        await tabTo(page, field);
        await keyboard.type('3');
        await keyboard.press('Enter');
        await page.getByText('3 sessions were ended').waitFor();
        await page.context().close();
    });

    test('the skip link goes to the content, and a screen that is opened by a link has the focus on its heading', async () => {
        const page = await world.page('viewer', '/admin/users');
        await settled(page);
        await page.keyboard.press('Tab');
        assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
        await page.keyboard.press('Enter');
        assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
        await page.getByRole('link', { name: 'Applications' }).click();
        await eventually(async () => assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Applications'));
        await page.context().close();
    });

    test('the console speaks the language of the browser, and tells every time in UTC if that is wanted', async () => {
        const page = await world.page('admin', '/admin/users', { locale: 'de-AT' });
        await page.getByRole('heading', { name: 'Benutzer' }).waitFor();
        assert.equal(await page.locator('html').getAttribute('lang'), 'de');
        for (const [at, title] of [['end', 'Viele beenden'], ['keys', 'Dienstschlüssel'], ['signing', 'Signaturschlüssel'], ['applications', 'Anwendungen'], ['audit', 'Protokoll'], ['settings', 'Einstellungen']]) {
            await page.goto(`${world.base}/admin/${at}`);
            await page.getByRole('heading', { name: title, level: 1 }).waitFor();
        }
        await page.goto(`${world.base}/admin/sessions/${world.data.byLogin[0].id}`);
        await page.locator('main time').first().waitFor();
        const title = () => page.locator('main time').first().getAttribute('title');
        assert.match(await title(), /UTC$/);
        await page.getByRole('button', { name: 'UTC' }).click();
        await page.reload();
        await page.locator('main time').first().waitFor();
        assert.equal(await page.getByRole('button', { name: 'UTC' }).getAttribute('aria-pressed'), 'true');
        await page.context().close();
    });

    test('fifty rows are drawn, and the first view comes, within their budgets', async (test) => {
        const page = await world.page('admin', undefined, { fresh: true });
        const started = Date.now();
        await page.goto(`${world.base}/admin/sessions`);
        await rows(page, 'Sessions that were found').nth(49).waitFor();
        const first = Date.now() - started;
        const wire = await page.evaluate(() => performance.getEntriesByType('resource').map((each) => [new URL(each.name).pathname, each.transferSize]));
        const bytes = wire.reduce((sum, [, size]) => sum + size, 0);
        const second = await page.evaluate(async () => {
            const start = performance.now();
            [...document.querySelectorAll('nav a')].find((link) => link.pathname.endsWith('/users')).click();
            while (document.querySelector('main h1')?.textContent !== 'Users' || !document.querySelector('main table tbody tr')) await new Promise((resolve) => requestAnimationFrame(resolve));
            return performance.now() - start;
        });
        await page.goBack();
        await rows(page, 'Sessions that were found').nth(49).waitFor();
        test.diagnostic(`first view with 50 rows ${first} ms, second screen ${second.toFixed(0)} ms, ${wire.length} requests, ${(bytes / 1024).toFixed(1)} KiB over the wire`);
        assert.ok(bytes < 150 * 1024, `${bytes} bytes`);
        await page.goto(`${world.base}/admin`);
        await settled(page);
        const asked = await page.evaluate(() => performance.getEntriesByType('resource').filter((each) => each.name.includes('/v1/') || each.name.endsWith('/me')).map((each) => new URL(each.name).pathname));
        assert.ok(asked.length <= 5, `the overview asked ${asked.length} times: ${asked}`);
        await page.context().close();
    });
}
