// A table that becomes a list of cards where the window is narrow.
import { html } from '../preact.js';
import { t } from '../words.js';
import { Icon } from './icon.js';

/**
 * @template Row
 * @typedef {object} Column
 * @property {string} id
 * @property {string} label the heading, and the name before the value in a card
 * @property {(row: Row) => any} cell
 * @property {string} [sort] the name to sort by, where the column can be sorted
 * @property {boolean} [end] set to the end of the cell, as numbers are
 * @property {boolean} [lead] the row's name: a heading of the row, and the first line of a card
 * @property {boolean} [bare] without its label in a card, as for buttons
 */

/**
 * @param {{ caption: string, columns: Column<any>[], rows: any[], id: (row: any) => string, sort?: string, onSort?: (sort: string) => void,
 *   ticked?: Set<string>, onTick?: (ticked: Set<string>) => void, canTick?: (row: any) => boolean, quiet?: (row: any) => boolean, busy?: boolean }} props
 *   `sort` is a column's `sort`, with `-` in front for descending; `quiet` rows are drawn fainter; `busy` while the next page loads
 */
export function Table({ caption, columns, rows, id, sort = '', onSort, ticked, onTick, canTick = () => true, quiet, busy }) {
    const open = onTick && ticked ? rows.filter(canTick) : [];
    const all = open.length > 0 && open.every((row) => ticked?.has(id(row)));
    /** @param {any[]} these @param {boolean} on */
    const tick = (these, on) => {
        const next = new Set(ticked);
        for (const row of these) on ? next.add(id(row)) : next.delete(id(row));
        onTick?.(next);
    };
    return html`<div class="table-wrap" aria-busy=${busy ? 'true' : 'false'}><table class="table"><caption class="hidden">${caption}</caption><thead><tr>
        ${onTick && html`<th class="tick"><label class="target"><input type="checkbox" checked=${all} disabled=${!open.length}
            aria-label=${t('table.tick_all')} onChange=${(/** @type {any} */ event) => tick(open, event.target.checked)} /></label></th>`}
        ${columns.map((column) => html`<${Heading} key=${column.id} column=${column} sort=${sort} onSort=${onSort} />`)}</tr></thead>
        <tbody>${rows.map((row) => html`<tr key=${id(row)} class=${`${quiet?.(row) ? 'over' : ''} ${ticked?.has(id(row)) ? 'ticked' : ''}`}>
            ${onTick && html`<td class="tick">${canTick(row) && html`<label class="target"><input type="checkbox" checked=${ticked?.has(id(row)) ?? false}
                aria-label=${t('table.tick', { name: id(row) })} onChange=${(/** @type {any} */ event) => tick([row], event.target.checked)} /></label>`}</td>`}
            ${columns.map((column) => html`<${column.lead ? 'th' : 'td'} key=${column.id} scope=${column.lead ? 'row' : undefined} data-label=${column.bare ? undefined : column.label}
                class=${`${column.end ? 'end' : ''} ${column.lead ? 'lead' : ''} ${column.bare ? 'bare' : ''}`}>${column.cell(row)}</${column.lead ? 'th' : 'td'}>`)}</tr>`)}</tbody></table></div>`;
}

/** @param {{ column: Column<any>, sort: string, onSort?: (sort: string) => void }} props */
function Heading({ column, sort, onSort }) {
    const by = column.sort;
    if (!by || !onSort) return html`<th scope="col" class=${column.end ? 'end' : ''}>${column.label}</th>`;
    const down = sort === `-${by}`;
    const sorted = down || sort === by;
    return html`<th scope="col" class=${column.end ? 'end' : ''} aria-sort=${sorted ? (down ? 'descending' : 'ascending') : 'none'}>
        <button class="sort" onClick=${() => onSort(down ? by : `-${by}`)}>${column.label}${sorted && html`<${Icon} name=${down ? 'down' : 'up'} />`}</button></th>`;
}

/**
 * The way through pages of a keyset. A missing function turns its button off.
 * @param {{ onBack?: (() => void) | null, onNext?: (() => void) | null, children?: any }} props
 */
export const Pager = ({ onBack, onNext, children }) => html`<div class="pager"><span class="muted" role="status">${children}</span><div class="row">
    <button class="button small" disabled=${!onBack} onClick=${onBack}><${Icon} name="back" />${t('table.back')}</button>
    <button class="button small" disabled=${!onNext} onClick=${onNext}>${t('table.next')}<${Icon} name="next" /></button></div></div>`;
