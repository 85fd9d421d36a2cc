// Parts of a whole, as bars with their numbers.
import { html } from '../preact.js';
import { locale, number } from '../words.js';

/**
 * @param {{ caption: string, shares: { name: any, count: number, href?: string }[], total: number }} props largest first
 */
export function Shares({ caption, shares, total }) {
    const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 });
    return html`<table class="shares"><caption class="hidden">${caption}</caption><tbody>${shares.map(({ name, count, href }, index) => html`<tr key=${index}>
        <th scope="row">${href ? html`<a href=${href}><bdi class="clip">${name}</bdi></a>` : html`<bdi class="clip">${name}</bdi>`}</th>
        <td class="bar" aria-hidden="true"><svg width="100%" height="8" focusable="false"><rect class="track" width="100%" height="8" rx="4" /><rect class="fill" height="8" rx="4"
            width=${`${Math.max(1, (100 * count) / Math.max(total, 1))}%`} /></svg></td>
        <td class="end">${number(count)}</td><td class="end muted">${percent.format(total ? count / total : 0)}</td></tr>`)}</tbody></table>`;
}
