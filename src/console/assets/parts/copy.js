// Ids and other texts that are copied by a click.
import { html, useEffect, useState } from '../preact.js';
import { t } from '../words.js';
import { Icon } from './icon.js';
import { toast } from './toast.js';

/**
 * A button that puts `text` into the clipboard, and says so.
 * @param {{ text: string, label?: string, wide?: boolean }} props `wide`: with words, not only a drawing
 */
export function Copy({ text, label = t('common.copy'), wide }) {
    const [done, setDone] = useState(false);
    useEffect(() => {
        const timer = done ? setTimeout(() => setDone(false), 2000) : 0;
        return () => clearTimeout(timer);
    }, [done]);
    const copy = () => navigator.clipboard.writeText(text).then(() => setDone(true), () => toast(t('common.not_copied'), 'bad'));
    const words = done ? t('common.copied') : label;
    return html`<button type="button" class=${wide ? 'button' : 'button bare copy'} aria-label=${wide ? undefined : words} title=${wide ? undefined : words}
        onClick=${copy}><${Icon} name=${done ? 'check' : 'copy'} />${wide && words}<span class="hidden" role="status">${done && !wide ? words : ''}</span></button>`;
}

/**
 * An id in type of one width, shortened in the middle: the ends of ids are what tells them apart.
 * @param {{ value: string, href?: string, length?: number, copy?: boolean }} props `length`: the most characters shown
 */
export function Id({ value, href, length = 13, copy = false }) {
    const half = Math.floor((length - 1) / 2);
    const shown = value.length > length ? `${value.slice(0, half)}…${value.slice(-half)}` : value;
    const text = html`<bdi class=${`mono ${shown === value ? '' : 'short'}`} title=${value}>${shown}</bdi>`;
    return html`<span class="id">${href ? html`<a href=${href}>${text}</a>` : text}${copy && html`<${Copy} text=${value} label=${t('common.copy_id')} />`}</span>`;
}
