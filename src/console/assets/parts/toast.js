// One sentence about what was done, which goes away by itself or by a click.
import { html } from '../preact.js';
import { store } from '../store.js';
import { t } from '../words.js';
import { Icon } from './icon.js';

const shown = store(/** @type {{ id: number, text: string, kind: string }[]} */ ([]));
let count = 0;

/**
 * @param {string} text
 * @param {'good' | 'bad'} [kind]
 */
export function toast(text, kind = 'good') {
    const id = ++count;
    shown.set([...shown.get().slice(-2), { id, text, kind }]);
    setTimeout(() => dismiss(id), kind === 'bad' ? 12_000 : 6000);
}

/** @param {number} id */
const dismiss = (id) => shown.set(shown.get().filter((each) => each.id !== id));

export function Toasts() {
    return html`<div class="toasts" role="status" aria-live="polite">${shown.use().map((each) => html`<div key=${each.id} class=${`toast ${each.kind}`}>
        <${Icon} name=${each.kind === 'bad' ? 'warning' : 'check'} /><span>${each.text}</span>
        <button class="button bare" aria-label=${t('common.close')} onClick=${() => dismiss(each.id)}><${Icon} name="close" /></button></div>`)}</div>`;
}
