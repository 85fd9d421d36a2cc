// The steps of people at the console that several tests take.
import assert from 'node:assert/strict';

/** Waits until a check holds; the error of the last try tells what was wrong. */
export async function eventually(check, patience = 20_000) {
    const until = Date.now() + patience;
    for (;;) {
        try {
            return await check();
        } catch (error) {
            if (Date.now() > until) throw error;
            await new Promise((resolve) => setTimeout(resolve, 50));
        }
    }
}

/** The chip of a condition that is set. */
export const chip = (page, label) => page.locator('.chip').filter({ hasText: label });

/** Adds a condition by its menu; `text` is typed, or chosen where there are choices. */
export async function addChip(page, label, text) {
    await page.getByRole('group', { name: 'Filters' }).getByRole('button', { name: 'Filter', exact: true }).click();
    const popover = page.locator('.popover');
    await popover.getByRole('button', { name: label, exact: true }).click();
    const field = popover.getByLabel(label, { exact: true });
    const choice = popover.getByRole('button', { name: text, exact: true });
    await field.or(choice).first().waitFor();
    if (await choice.count()) await choice.click();
    else {
        await field.fill(text);
        await popover.getByRole('button', { name: 'Apply' }).click();
    }
    await chip(page, label).waitFor();
}

/** The rows of the table with this name, as it is for screen readers. */
export const rows = (page, name) => page.getByRole('table', { name, exact: true }).locator('tbody tr');

/** Waits for the sentence that says what was done. */
export async function told(page, pattern) {
    await page.locator('.toast').filter({ hasText: pattern }).first().waitFor();
}

/** The open dialog. */
export const dialog = (page) => page.locator('dialog[open]');

/** Tabs from where the focus is until it is on an element, as somebody without a mouse does. */
export async function tabTo(page, locator, steps = 80) {
    for (let step = 0; step < steps; step += 1) {
        await page.keyboard.press('Tab');
        const focus = await page.evaluate(() => {
            const element = document.activeElement;
            const { outlineStyle, boxShadow } = getComputedStyle(element);
            const { top, bottom, left, width } = element.getBoundingClientRect();
            const hit = document.elementFromPoint(left + Math.min(width / 2, 20), (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2);
            const hidden = hit !== null && width > 1 && !element.contains(hit) && !hit.contains(element) && !hit.closest('label')?.contains(element);
            return { what: element.outerHTML.slice(0, 120), seen: outlineStyle !== 'none' || boxShadow !== 'none' || element.tagName === 'BODY', hidden };
        });
        assert.ok(focus.seen || /type="radio"|<h1|<main|<dialog/.test(focus.what), `no visible focus on ${focus.what}`);
        assert.ok(!focus.hidden, `the focus is behind something: ${focus.what}`);
        if (await locator.evaluate((element) => element === document.activeElement)) return;
    }
    assert.fail(`the focus never came to ${locator}`);
}
