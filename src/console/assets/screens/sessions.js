// The search for sessions. All of it is in the address, so that a search can be sent to a colleague.
import { get, post } from '../api.js';
import { Chips, isSet } from '../parts/chips.js';
import { Confirm } from '../parts/dialog.js';
import { Check } from '../parts/field.js';
import { Icon } from '../parts/icon.js';
import { Page } from '../parts/page.js';
import { Popover } from '../parts/popover.js';
import { conditionValues, endingConditions, guessed, isSessionId, searchConditions } from '../parts/session_conditions.js';
import { sessionColumns, USUAL } from '../parts/session_columns.js';
import { sessionLink } from '../parts/session_words.js';
import { Empty, Failure, Loading, useLoad } from '../parts/states.js';
import { Pager, Table } from '../parts/table.js';
import { toast } from '../parts/toast.js';
import { saveCsv } from '../parts/csv.js';
import { html, useEffect, useMemo, useRef, useState } from '../preact.js';
import { go, link, place } from '../router.js';
import { columns as chosenColumns, isAdmin } from '../store.js';
import { t } from '../words.js';

/** @param {{ query: URLSearchParams }} props */
export default function Sessions({ query }) {
    const conditions = useMemo(searchConditions, []);
    const values = conditionValues(conditions, query);
    const sort = query.get('sort') ?? '-created_at';
    const cursor = query.get('cursor') ?? '';
    const [ticked, setTicked] = useState(/** @type {Set<string>} */ (new Set()));
    const [ending, setEnding] = useState(false);
    const found = useLoad((signal) => get('/v1/sessions', { ...values, sort, cursor }, signal), [query.toString()]);
    const chosen = chosenColumns.use().split(',').filter(Boolean);
    const shown = sessionColumns().filter(({ id }) => (chosen.length ? chosen : USUAL).includes(id));
    useEffect(() => setTicked(new Set()), [query.toString()]);

    /** A search begins at its first page. @param {Record<string, string>} next @param {string} [order] */
    const search = (next, order = sort) => {
        const allowed = order.endsWith('last_seen_at') && !next.user_id ? '-created_at' : order;
        go(link('/sessions', { ...next, sort: allowed === '-created_at' ? '' : allowed }));
    };
    /** @param {string} order */
    const sortBy = (order) => (order.endsWith('last_seen_at') && !values.user_id ? toast(t('sessions.last_seen_sort'), 'bad') : search(values, order));
    const rows = found.data?.sessions ?? [];
    const pages = usePages(query, found.data?.next_cursor);
    const actions = html`<${Columns} chosen=${chosen.length ? chosen : USUAL} />
        <button class="button small" disabled=${!rows.length} title=${t('sessions.csv_hint')} onClick=${() => saveCsv('sessions.csv', shown, rows)}><${Icon} name="download" />${t('sessions.csv')}</button>
        ${isAdmin() && html`<button class="button small" onClick=${() => endAll(conditions, values, query)}>${t('sessions.end_all')}</button>`}`;
    return html`<${Page} title=${t('sessions.title')} lead=${t('sessions.lead')} actions=${actions}>
        <div class="filter-bar"><${SearchBox} onSearch=${(/** @type {Record<string, string>} */ guess) => search({ ...values, ...guess })} />
            <${Chips} conditions=${conditions} values=${values} onChange=${search} /></div>
        ${ticked.size > 0 && html`<div class="selection" role="status"><span>${t('sessions.selected', { n: ticked.size })}</span>
            <button class="button danger small" onClick=${() => setEnding(true)}>${t('sessions.end_ticked', { n: ticked.size })}</button>
            <button class="button bare small" onClick=${() => setTicked(new Set())}>${t('sessions.unselect')}</button></div>`}
        ${found.error && !found.loading && html`<${Failure} error=${found.error} onRetry=${found.reload} />`}
        ${!found.data && found.loading && html`<${Loading} rows=${10} />`}
        ${found.data && (rows.length ? html`<section class="card flush"><${Table} caption=${t('sessions.caption')} columns=${shown} rows=${rows} id=${(/** @type {any} */ row) => row.id} sort=${sort} onSort=${sortBy}
            ticked=${isAdmin() ? ticked : undefined} onTick=${isAdmin() ? setTicked : undefined} canTick=${(/** @type {any} */ row) => row.state === 'active' && !row.current}
            quiet=${(/** @type {any} */ row) => row.state !== 'active'} busy=${found.loading} />
            <${Pager} onBack=${pages.back} onNext=${pages.next}>${t('sessions.shown', { n: rows.length })}</${Pager}></section>`
        : html`<section class="card"><${Nothing} filtered=${Object.keys(values).length > 0} onClear=${() => search({})} /></section>`)}
        ${ending && html`<${EndTicked} ids=${[...ticked]} onClose=${() => setEnding(false)} onDone=${() => (setEnding(false), setTicked(new Set()), found.reload())} />`}</${Page}>`;
}

/**
 * Goes to the bulk ending with the same conditions, unless it lacks one of them: it would end more than was found.
 * @param {import('../parts/chips.js').Condition[]} conditions
 * @param {Record<string, string>} values
 * @param {URLSearchParams} query
 */
function endAll(conditions, values, query) {
    const known = endingConditions().map(({ name }) => name);
    const lacking = conditions.filter((each) => !known.includes(each.name) && isSet(each, values) && !(each.name === 'state' && values.state === 'active'));
    if (lacking.length) toast(t('sessions.cannot_end_all', { names: lacking.map(({ label }) => label).join(', ') }), 'bad');
    else go(link('/end', conditionValues(endingConditions(), query)));
}

/**
 * Ways to the next page and back. The cursors of earlier pages are kept with the entry of the history; a page that was opened by
 * its address alone goes back to the first.
 * @param {URLSearchParams} query
 * @param {string | undefined} next
 */
function usePages(query, next) {
    place.use();
    /** @type {string[]} */
    const earlier = history.state?.earlier ?? [];
    const cursor = query.get('cursor') ?? '';
    /** @param {string} to @param {string[]} kept */
    const turn = (to, kept) => {
        const moved = new URLSearchParams(query);
        to ? moved.set('cursor', to) : moved.delete('cursor');
        go(link('/sessions', moved), { state: { earlier: kept } });
        scrollTo(0, 0);
    };
    return {
        next: next ? () => turn(next, [...earlier, cursor]) : null,
        back: cursor ? () => turn(earlier.at(-1) ?? '', earlier.slice(0, -1)) : null,
    };
}

/** @param {{ onSearch: (guess: Record<string, string>) => void }} props */
function SearchBox({ onSearch }) {
    const [text, setText] = useState('');
    const field = useRef(/** @type {HTMLInputElement | null} */ (null));
    useEffect(() => {
        if (history.state?.search) field.current?.focus();
    }, []);
    /** @param {Event} event */
    const submit = (event) => {
        event.preventDefault();
        const wanted = text.trim();
        if (!wanted) return;
        setText('');
        if (isSessionId(wanted)) go(sessionLink(wanted));
        else onSearch(guessed(wanted));
    };
    return html`<form class="search" role="search" onSubmit=${submit}><${Icon} name="search" /><input ref=${field} class="input" type="search" data-search value=${text} aria-label=${t('sessions.search')}
        placeholder=${t('sessions.search_hint')} autocomplete="off" spellcheck="false" onInput=${(/** @type {any} */ event) => setText(event.target.value)} /><kbd aria-hidden="true">/</kbd></form>`;
}

/** @param {{ chosen: string[] }} props */
function Columns({ chosen }) {
    /** @param {string} id @param {boolean} on */
    const choose = (id, on) => chosenColumns.set(sessionColumns().map((each) => each.id).filter((each) => (each === id ? on : chosen.includes(each))).join(','));
    return html`<${Popover} end button=${html`<${Icon} name="columns" />${t('sessions.columns')}`}>${() => html`<div class="menu">${sessionColumns().map((each) => html`
        <${Check} key=${each.id} label=${each.label} checked=${chosen.includes(each.id)} disabled=${each.lead} onChange=${(/** @type {boolean} */ on) => choose(each.id, on)} />`)}</div>`}</${Popover}>`;
}

/** @param {{ filtered: boolean, onClear: () => void }} props */
const Nothing = ({ filtered, onClear }) => (filtered
    ? html`<${Empty} title=${t('sessions.empty')} text=${t('sessions.empty_text')}><button class="button" onClick=${onClear}>${t('chips.clear')}</button></${Empty}>`
    : html`<${Empty} icon="sessions" title=${t('sessions.none')} text=${t('sessions.none_text')} />`);

/** @param {{ ids: string[], onClose: () => void, onDone: () => void }} props */
function EndTicked({ ids, onClose, onDone }) {
    const end = async () => {
        const { revoked } = await post('/v1/sessions/revoke', { ids });
        toast(revoked === undefined ? t('sessions.done_uncounted') : t('sessions.done', { n: revoked }));
        onDone();
    };
    return html`<${Confirm} title=${t('sessions.end_title', { n: ids.length })} action=${t('sessions.end_ticked', { n: ids.length })} onConfirm=${end} onClose=${onClose}>
        <p>${t('sessions.end_text', { n: ids.length })}</p></${Confirm}>`;
}
