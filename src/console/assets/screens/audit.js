// The audit trail: who did what to whom, when and from where.
import { get } from '../api.js';
import { Chips } from '../parts/chips.js';
import { Copy, Id } from '../parts/copy.js';
import { usePages } from '../parts/keyset.js';
import { Card, Page } from '../parts/page.js';
import { conditionValues } from '../parts/session_conditions.js';
import { Empty, Loaded, useLoad } from '../parts/states.js';
import { Pager, Table } from '../parts/table.js';
import { html, useMemo } from '../preact.js';
import { go, link } from '../router.js';
import { Time } from '../time.js';
import { named, t } from '../words.js';

/**
 * @typedef {object} Entry
 * @property {string} id
 * @property {string} at
 * @property {{ type: string, id?: string | null, name?: string | null }} actor
 * @property {string} action
 * @property {{ type?: string | null, id?: string | null } | null} [target]
 * @property {Record<string, any> | null} [detail]
 * @property {string | null} [request_id]
 * @property {string | null} [address]
 */

/** Every action, in the groups that people look for. */
const ACTIONS = ['session.ended', 'session.extended', 'session.changed', 'sessions.ended_in_bulk', 'user.changed', 'user.banned', 'user.unbanned', 'user.deleted', 'user.erased',
    'user.sessions_ended', 'key.created', 'key.revoked', 'signing_keys.rotated', 'application.created', 'application.changed', 'application.deleted', 'cleanup.ran',
    'console.signed_in', 'console.sign_in_failed', 'console.signed_out', 'console.link_made', 'account.link_made'];

/** The word for an action: a key of the words has no dots in it. @param {string} action */
const actionName = (action) => named('action', action.replace('.', '_')).replace(/^[a-z]+_[a-z_]+$/, action);

/** @returns {import('../parts/chips.js').Condition[]} */
const conditions = () => [
    { name: 'actor', label: t('audit.actor'), kind: 'text', hint: t('audit.actor_hint') },
    { name: 'action', label: t('audit.action'), kind: 'choice', choices: ACTIONS.map((each) => [each, actionName(each)]) },
    { name: 'target', label: t('audit.target'), kind: 'text', hint: t('audit.target_hint') },
    { name: 'at', label: t('audit.at'), kind: 'range' },
];

/** @param {{ query: URLSearchParams }} props */
export default function Audit({ query }) {
    const known = useMemo(conditions, []);
    const values = conditionValues(known, query);
    const { at_from: from, at_to: to, ...others } = values;
    const found = useLoad((signal) => get('/v1/audit', { ...others, from, to, limit: 50, cursor: query.get('cursor') }, signal), [query.toString()]);
    const pages = usePages('/audit', query, found.data?.next_cursor);
    /** @param {Record<string, string>} next */
    const search = (next) => go(link('/audit', next));
    const entries = entriesOf(found.data);
    const copy = html`<${Copy} text=${entries.map((each) => JSON.stringify(each)).join('\n')} label=${t('audit.copy')} wide />`;
    return html`<${Page} title=${t('audit.title')} lead=${t('audit.lead')} actions=${entries.length > 0 && copy}>
        <div class="filter-bar"><${Chips} conditions=${known} values=${values} onChange=${search} /></div>
        <${Card} flush><${Loaded} of=${found}>${() => (entries.length ? html`<${Table} caption=${t('audit.caption')} rows=${entries} busy=${found.loading} id=${(/** @type {Entry} */ each) => each.id} columns=${columns()} />
            <${Pager} onBack=${pages.back} onNext=${pages.next}>${t('audit.shown', { n: entries.length })}</${Pager}>`
            : html`<${Empty} icon="audit" title=${t(Object.keys(values).length ? 'audit.none_found' : 'audit.none')} text=${t(Object.keys(values).length ? 'audit.none_found_text' : 'audit.none_text')} />`)}</${Loaded}></${Card}></${Page}>`;
}

/** @param {any} data @returns {Entry[]} */
const entriesOf = (data) => data?.entries ?? [];

/** @returns {import('../parts/table.js').Column<Entry>[]} */
const columns = () => [
    { id: 'action', label: t('audit.action'), lead: true, cell: (entry) => html`<div class="stacked"><span class="strong">${actionName(entry.action)}</span><${Detail} entry=${entry} /></div>` },
    { id: 'actor', label: t('audit.actor'), cell: ({ actor }) => html`<span class="two"><bdi class="clip">${actor.name ?? named('actor', actor.type)}</bdi>
        ${(actor.name || actor.id) && html`<span class="faint small">${named('actor', actor.type)} ${actor.id && html`<${Id} value=${actor.id} copy />`}</span>`}</span>` },
    { id: 'target', label: t('audit.target'), cell: ({ target }) => html`<${Target} of=${target} />` },
    { id: 'at', label: t('audit.at'), cell: (entry) => html`<${Time} at=${entry.at} relative />` },
    { id: 'address', label: t('audit.address'), cell: (entry) => html`<span class="mono small">${entry.address ?? '–'}</span>` },
];

/** The screens of targets. @type {Record<string, string>} */
const SCREENS = { session: '/sessions', user: '/users' };

/** @param {{ of: Entry['target'] }} props */
function Target({ of }) {
    if (!of?.id) return html`<span class="faint">${of?.type ? named('target', of.type) : '–'}</span>`;
    const screen = SCREENS[of.type ?? ''];
    return html`<span class="two"><${Id} value=${of.id} length=${21} href=${screen && link(`${screen}/${encodeURIComponent(of.id)}`)} copy /><span class="faint small">${named('target', of.type)}</span></span>`;
}

/** The particulars of an action, as the trail keeps them. @param {{ entry: Entry }} props */
function Detail({ entry }) {
    const { detail, request_id: request } = entry;
    const known = detail && Object.keys(detail).length > 0;
    if (!known && !request) return null;
    return html`<details class="more"><summary class="small muted">${t('audit.more')}</summary>${known && html`<pre class="json">${JSON.stringify(detail, null, 2)}</pre>`}
        ${request && html`<p class="faint small">${t('common.request_id')} <code>${request}</code></p>`}</details>`;
}
