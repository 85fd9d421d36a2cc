// One user: who it is, its sessions, and what staff can do about them.
import { address, get } from '../api.js';
import { Copy } from '../parts/copy.js';
import { Icon } from '../parts/icon.js';
import { Badge, Banner, Card, Facts, Page } from '../parts/page.js';
import { Shares } from '../parts/shares.js';
import { sessionColumns } from '../parts/session_columns.js';
import { Empty, Failure, Loading, useLoad } from '../parts/states.js';
import { Table } from '../parts/table.js';
import { html, useState } from '../preact.js';
import { go, link } from '../router.js';
import { isAdmin } from '../store.js';
import { exact, Time } from '../time.js';
import { t } from '../words.js';
import { BanUser, DeleteUser, EndSessions, UnbanUser } from './user_dialogs.js';

/** @typedef {import('openapi').components['schemas']['User'] & { ban_reason?: string | null }} User */
/** @typedef {import('openapi').components['schemas']['Session']} Session */

/** How many of the sessions that are over are shown. */
const OVER = 10;

/** The user, or null where nothing is stored. @param {string} path @param {AbortSignal} signal @returns {Promise<User | null>} */
async function user(path, signal) {
    try {
        return await get(path, {}, signal);
    } catch (error) {
        if (/** @type {any} */ (error)?.status === 404) return null;
        throw error;
    }
}

/** @param {{ params: Record<string, string> }} props */
export default function User({ params: { id } }) {
    const path = `/v1/users/${encodeURIComponent(id)}`;
    const found = useLoad(async (signal) => {
        const over = (/** @type {string} */ state) => get('/v1/sessions', { user_id: id, state, limit: OVER }, signal);
        const [who, active, ended, expired, unused] = await Promise.all([user(path, signal), get(`${path}/sessions`, {}, signal), over('ended'), over('expired'), over('idle_expired')]);
        const past = [ended, expired, unused].flatMap((each) => each.sessions).sort((one, other) => (one.created_at < other.created_at ? 1 : -1));
        return { who, active: active.sessions, past: past.slice(0, OVER) };
    }, [id]);
    const [asked, setAsked] = useState(/** @type {any} */ (null));
    const crumbs = html`<a href=${link('/users')}>${t('users.title')}</a>`;
    if (!found.data) return html`<${Page} title=${t('user.title')} crumbs=${crumbs}>${found.error ? html`<${Failure} error=${found.error} onRetry=${found.reload} />` : html`<${Loading} />`}</${Page}>`;
    const { who, active, past } = found.data;
    const close = () => setAsked(null);
    const done = () => {
        close();
        found.reload();
    };
    const of = { id, path, who, onClose: close, onDone: done };
    return html`<${Page} title=${html`<bdi>${who?.name || id}</bdi>`} crumbs=${crumbs} actions=${html`<${Actions} id=${id} path=${path} who=${who} onAsk=${setAsked} />`}>
        ${found.error && html`<${Failure} error=${found.error} onRetry=${found.reload} />`}
        ${who?.banned && html`<${Banner} kind="warn"><${Icon} name="ban" /><span><strong>${t('user.banned_since', { at: exact(who.banned_at ?? who.updated_at) })}</strong>
            ${who.ban_reason && html` <bdi>${who.ban_reason}</bdi>`}</span></${Banner}>`}
        ${!who && html`<${Banner}><${Icon} name="info" /><span>${t('user.unknown')}</span></${Banner}>`}
        <div class="grid two"><${Card} title=${t('user.details')}><${Facts} items=${factsOf(id, who)} /></${Card}>
        <${Card} title=${t('user.numbers')}><${Numbers} active=${active} /></${Card}></div>
        <${Active} rows=${active} onEnd=${(/** @type {any} */ which) => setAsked({ what: 'end', ...which })} />
        <${Card} flush title=${t('user.over')} actions=${html`<a class="button small" href=${link('/sessions', { user_id: id })}>${t('user.all_sessions')}</a>`}>
            ${past.length ? html`<${Table} caption=${t('user.over')} rows=${past} id=${(/** @type {Session} */ row) => row.id} columns=${columnsOf(['device', 'state', 'application', 'place', 'opened', 'ends'])} quiet=${() => true} />`
            : html`<${Empty} icon="sessions" title=${t('user.none_over')} text=${t('user.none_over_text')} />`}</${Card}>
        ${asked?.what === 'end' && html`<${EndSessions} ...${of} ...${asked} />`}
        ${asked?.what === 'ban' && html`<${BanUser} ...${of} active=${active.length} />`}
        ${asked?.what === 'unban' && html`<${UnbanUser} ...${of} />`}
        ${asked?.what === 'delete' && html`<${DeleteUser} ...${of} active=${active.length} onDone=${() => go(link('/users'))} />`}</${Page}>`;
}

/** @param {{ id: string, path: string, who: User | null, onAsk: (asked: any) => void }} props */
const Actions = ({ id, path, who, onAsk }) => html`
    <a class="button" download=${`user-${id.replace(/[^\w.-]+/g, '_').slice(0, 60)}.json`} href=${address(`${path}/export`)} title=${t('user.export_hint')}><${Icon} name="download" />${t('user.export')}</a>
    ${isAdmin() && (who?.banned ? html`<button class="button" onClick=${() => onAsk({ what: 'unban' })}>${t('user.unban')}</button>`
        : html`<button class="button danger quiet" onClick=${() => onAsk({ what: 'ban' })}><${Icon} name="ban" />${t('user.ban')}</button>`)}
    ${isAdmin() && html`<button class="button danger quiet" onClick=${() => onAsk({ what: 'delete' })}>${t('user.delete')}</button>`}`;

/** @param {string} id @param {User | null} who @returns {[string, any][]} */
const factsOf = (id, who) => [
    [t('user.id'), html`<span class="row"><bdi class="mono breaks">${id}</bdi><${Copy} text=${id} label=${t('common.copy_id')} /></span>`],
    [t('user.name'), who?.name && html`<bdi class="breaks">${who.name}</bdi>`],
    [t('user.email'), who?.email && html`<bdi class="breaks">${who.email}</bdi>`],
    [t('user.state'), who && html`<${Badge} kind=${who.banned ? 'bad' : 'good'}>${t(who.banned ? 'users.banned' : 'users.allowed')}</${Badge}>`],
    [t('user.first_heard'), who && html`<${Time} at=${who.created_at} relative />`],
    [t('user.changed'), who && html`<${Time} at=${who.updated_at} relative />`],
];

/** @param {{ active: Session[] }} props */
function Numbers({ active }) {
    /** @type {Map<string, number>} */
    const by = new Map();
    for (const { client_id: client } of active) by.set(client ?? '', (by.get(client ?? '') ?? 0) + 1);
    const shares = [...by].map(([name, count]) => ({ name: name || t('user.no_application'), count })).sort((one, other) => other.count - one.count);
    return html`<p class="big">${t('user.active_now', { n: active.length })}</p>${shares.length > 0 && html`<${Shares} caption=${t('user.by_application')} shares=${shares} total=${active.length} />`}`;
}

/** @param {string[]} ids */
const columnsOf = (ids) => sessionColumns().filter((each) => ids.includes(each.id)).map(({ sort: _, ...column }) => column);

/** The active sessions. Those that are ticked can be ended, or all others. @param {{ rows: Session[], onEnd: (which: { ids?: string[], how: string }) => void }} props */
function Active({ rows, onEnd }) {
    const [ticked, setTicked] = useState(/** @type {Set<string>} */ (new Set()));
    const admin = isAdmin();
    const chosen = rows.filter((row) => ticked.has(row.id)).map((row) => row.id);
    const others = rows.filter((row) => !ticked.has(row.id)).map((row) => row.id);
    const one = { id: 'actions', label: t('common.actions'), bare: true, end: true, cell: (/** @type {Session} */ row) => html`<button class="button small danger quiet"
        aria-label=${t('user.end_this', { name: row.device.name ?? row.id })} onClick=${() => onEnd({ ids: [row.id], how: 'one' })}>${t('user.end')}</button>` };
    const actions = admin && rows.length > 0 && html`${chosen.length > 0 && html`
        <button class="button small danger quiet" onClick=${() => onEnd({ ids: chosen, how: 'ticked' })}>${t('user.end_ticked', { n: chosen.length })}</button>
        ${others.length > 0 && html`<button class="button small danger quiet" onClick=${() => onEnd({ ids: others, how: 'others' })}>${t('user.end_others', { n: others.length })}</button>`}`}
        <button class="button small danger quiet" onClick=${() => onEnd({ how: 'all' })}>${t('user.end_all')}</button>`;
    const columns = columnsOf(['device', 'place', 'application', 'opened', 'last_seen', 'ends']);
    return html`<${Card} flush title=${t('user.active')} actions=${actions}>${rows.length
        ? html`<${Table} caption=${t('user.active')} rows=${rows} id=${(/** @type {Session} */ row) => row.id} columns=${admin ? [...columns, one] : columns} ticked=${admin ? ticked : undefined} onTick=${admin ? setTicked : undefined} />`
        : html`<${Empty} icon="sessions" title=${t('user.none_active')} text=${t('user.none_active_text')} />`}</${Card}>`;
}
