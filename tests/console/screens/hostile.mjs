import assert from 'node:assert/strict';
import { test } from 'node:test';

import { STRANGE } from '../support/seed.mjs';
import { eventually, rows } from '../support/steps.mjs';

/** @param {import('../support/world.mjs').World} world */
export default function hostile(world) {
    // That nothing ran and no policy was broken is told by the dialogs, errors and reports that every page keeps.
    const nothingMade = async (page) => assert.equal(await page.locator('main img, main script, main iframe').count(), 0);

    test('markup in every field that a stranger can fill is text on the page of a session', async () => {
        const { markup, script } = STRANGE;
        const page = await world.page('admin', `/admin/sessions/${world.data.strange.markup.id}`);
        await page.getByRole('heading', { name: markup }).waitFor();
        const text = await page.locator('main').innerText();
        for (const each of [markup, script]) assert.ok(text.includes(each), each);
        await nothingMade(page);
        await page.context().close();
    });

    test('markup in a user id is text in searches, in the address and on the page of the user', async () => {
        const { markup } = STRANGE;
        const page = await world.page('admin', `/admin/sessions?user_id=${encodeURIComponent(markup)}`);
        await eventually(async () => assert.equal(await rows(page, 'Sessions that were found').count(), 1));
        await rows(page, 'Sessions that were found').getByRole('link', { name: markup }).first().waitFor();
        await page.goto(`${world.base}/admin/users/${encodeURIComponent(markup)}`);
        await page.getByRole('heading', { name: markup }).waitFor();
        await eventually(async () => assert.equal(await rows(page, 'Active sessions').count(), 1));
        await nothingMade(page);
        for (const at of ['/users', '/keys', '/applications', '/audit', '/live']) {
            await page.goto(`${world.base}/admin${at}`);
            await page.locator('main h1').waitFor();
            await nothingMade(page);
        }
        await page.context().close();
    });

    test('a user id that looks like a path is one user, and its links go nowhere else', async () => {
        const page = await world.page('admin', '/admin/sessions?user_name=%24%7Balert');
        await page.getByRole('link', { name: '../../admin?x=%2F#y' }).click();
        await page.waitForURL(/\/admin\/users\//);
        await page.getByText(STRANGE.template, { exact: true }).first().waitFor();
        await eventually(async () => assert.equal(await rows(page, 'Active sessions').count(), 1));
        await page.context().close();
    });

    test('marks of direction do not leave their field, and long names do not push the page aside', async () => {
        for (const width of [1280, 375]) {
            const page = await world.page('admin', `/admin/users/${STRANGE.long}`, { viewport: { width, height: 800 } });
            await page.getByRole('heading', { name: STRANGE.long }).waitFor();
            assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width);
            await page.goto(`${world.base}/admin/users/rtl-1`);
            await page.getByRole('heading', { name: STRANGE.rightToLeft }).waitFor();
            const isolated = await page.evaluate(() => {
                const named = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
                for (let node = named.nextNode(); node; node = named.nextNode()) {
                    if (node.data.includes('\u202e') && !node.parentElement.closest('bdi')) return node.parentElement.outerHTML;
                }
                return '';
            });
            assert.equal(isolated, '');
            await page.context().close();
        }
    });
}
