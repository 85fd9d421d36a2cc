// Users that this server knows: those who were stored, banned or given a session.
import { get } from '../api.js';
import { Chips } from '../parts/chips.js';
import { Icon } from '../parts/icon.js';
import { usePages } from '../parts/keyset.js';
import { Badge, Card, Page } from '../parts/page.js';
import { conditionValues } from '../parts/session_conditions.js';
import { Empty, Loaded, useLoad } from '../parts/states.js';
import { Pager, Table } from '../parts/table.js';
import { html, useEffect, useMemo, useState } from '../preact.js';
import { go, link } from '../router.js';
import { Time } from '../time.js';
import { t } from '../words.js';

/** @typedef {import('openapi').components['schemas']['User']} User */

/** @returns {import('../parts/chips.js').Condition[]} */
const conditions = () => [
    { name: 'email', label: t('users.email'), kind: 'text', hint: t('users.email_hint') },
    { name: 'banned', label: t('users.ban'), kind: 'choice', choices: [['true', t('users.only_banned')], ['false', t('users.not_banned')]] },
];

/** @param {{ query: URLSearchParams }} props */
export default function Users({ query }) {
    const known = useMemo(conditions, []);
    const values = conditionValues(known, query);
    const wanted = query.get('search') ?? '';
    const found = useLoad((signal) => get('/v1/users', { ...values, search: wanted, cursor: query.get('cursor') }, signal), [query.toString()]);
    const pages = usePages('/users', query, found.data?.next_cursor);
    /** @param {Record<string, string>} next */
    const search = (next) => go(link('/users', next));
    /** @param {{ users: User[] }} data */
    const list = ({ users }) => (users.length ? html`<${Table} caption=${t('users.caption')} rows=${users} busy=${found.loading} id=${(/** @type {User} */ user) => user.id} columns=${columns()} />
        <${Pager} onBack=${pages.back} onNext=${pages.next}>${t('users.shown', { n: users.length })}</${Pager}>` : html`<${Nothing} wanted=${wanted} filtered=${Object.keys(values).length > 0} />`);
    return html`<${Page} title=${t('users.title')} lead=${t('users.lead')}>
        <div class="filter-bar"><${SearchBox} wanted=${wanted} onSearch=${(/** @type {string} */ text) => search({ ...values, search: text })} />
            <${Chips} conditions=${known} values=${values} onChange=${(/** @type {Record<string, string>} */ next) => search({ ...next, search: wanted })} /></div>
        <${Card} flush><${Loaded} of=${found} rows=${10}>${list}</${Loaded}></${Card}></${Page}>`;
}

/** @returns {import('../parts/table.js').Column<User>[]} */
const columns = () => [
    { id: 'id', label: t('users.user'), lead: true, cell: (user) => html`<a class="two" href=${link(`/users/${encodeURIComponent(user.id)}`)}><bdi class="clip">${user.name || user.id}</bdi>
        ${user.name && html`<bdi class="faint small mono clip">${user.id}</bdi>`}</a>` },
    { id: 'email', label: t('users.email'), cell: (user) => (user.email ? html`<bdi class="clip">${user.email}</bdi>` : html`<span class="faint">–</span>`) },
    { id: 'banned', label: t('users.state'), cell: (user) => (user.banned ? html`<${Badge} kind="bad">${t('users.banned')}</${Badge}>` : html`<${Badge} kind="good">${t('users.allowed')}</${Badge}>`) },
    { id: 'created_at', label: t('users.first_heard'), cell: (user) => html`<${Time} at=${user.created_at} relative />` },
    { id: 'updated_at', label: t('users.changed'), cell: (user) => html`<${Time} at=${user.updated_at} relative />` },
];

/** @param {{ wanted: string, onSearch: (text: string) => void }} props */
function SearchBox({ wanted, onSearch }) {
    const [text, setText] = useState(wanted);
    useEffect(() => setText(wanted), [wanted]);
    /** @param {Event} event */
    const submit = (event) => {
        event.preventDefault();
        onSearch(text.trim());
    };
    return html`<form class="search" role="search" onSubmit=${submit}><${Icon} name="search" /><input class="input" type="search" data-search value=${text} aria-label=${t('users.search')}
        placeholder=${t('users.search_hint')} autocomplete="off" spellcheck="false" onInput=${(/** @type {any} */ event) => setText(event.target.value)} /><kbd aria-hidden="true">/</kbd></form>`;
}

/** A user whom this server does not know can be opened all the same, to be banned before a first sign-in. @param {{ wanted: string, filtered: boolean }} props */
const Nothing = ({ wanted, filtered }) => {
    if (wanted) return html`<${Empty} icon="users" title=${t('users.none_found')} text=${t('users.none_found_text')}>
        <a class="button" href=${link(`/users/${encodeURIComponent(wanted)}`)}>${t('users.open_id')} <bdi class="clip">${wanted}</bdi></a></${Empty}>`;
    return html`<${Empty} icon="users" title=${t(filtered ? 'users.none_found' : 'users.none')} text=${t(filtered ? 'users.none_filtered' : 'users.none_text')} />`;
};
