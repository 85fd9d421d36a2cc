// The timeline of a session, and the user's other sessions.
import { get } from '../api.js';
import { html } from '../preact.js';
import { link } from '../router.js';
import { duration, Time } from '../time.js';
import { named, t } from '../words.js';
import { Card } from './page.js';
import { Device, sessionLink } from './session_words.js';
import { Empty, Loaded, useLoad } from './states.js';

/** The actor of an event, in words. @param {any} by */
export function actorName(by) {
    if (!by) return '';
    return by.name || (by.type && by.id ? `${named('actor', by.type)} ${by.id}` : named('actor', by.type));
}

/** Particulars in words: names that have none are shown as they came. @param {any} detail */
const details = (detail) => Object.entries(detail ?? {}).map(([name, value]) => {
    const text = name === 'seconds' ? duration(Number(value)) : Array.isArray(value) ? value.join(', ') : typeof value === 'object' ? JSON.stringify(value) : String(value);
    return `${named('detail', name)} ${text}`;
}).join(' · ');

/** @param {{ of: ReturnType<typeof useLoad>, session: any }} props */
export const Timeline = ({ of, session }) => html`<${Card} title=${t('session.timeline')}><${Loaded} of=${of} rows=${4}>${(/** @type {any} */ data) => html`<ol class="timeline">${data.items.map((/** @type {any} */ item, /** @type {number} */ index) => html`
    <li key=${index} class=${item.event}><i class="timeline-mark" aria-hidden="true"></i><div><p><span class="strong">${named('event', item.event)}</span>${item.reason && html` <span class="muted">${named('reason', item.reason)}</span>`}</p>
        ${item.by && html`<p class="small muted">${t('session.by')} <bdi>${actorName(item.by)}</bdi></p>`}
        ${details(item.detail) && html`<p class="small faint"><bdi>${details(item.detail)}</bdi></p>`}<p class="small faint"><${Time} at=${item.at} relative /></p></div></li>`)}</ol>
    ${session.state === 'active' ? null : html`<p class="small faint">${t('session.over_text')}</p>`}`}</${Loaded}></${Card}>`;

const MOST = 6;

/** @param {{ session: any }} props */
export function Others({ session }) {
    const user = session.user_id;
    const others = useLoad((signal) => get('/v1/sessions', { user_id: user, state: 'active', limit: MOST + 1 }, signal), [user, session.state]);
    return html`<${Card} title=${t('session.others')} actions=${html`<a class="button small" href=${link('/sessions', { user_id: user })}>${t('session.all_of_user')}</a>`}>
        <${Loaded} of=${others} rows=${3}>${(/** @type {any} */ data) => {
            const rows = data.sessions.filter((/** @type {any} */ each) => each.id !== session.id).slice(0, MOST);
            if (!rows.length) return html`<${Empty} icon="sessions" title=${t('session.no_others')} text=${t('session.no_others_text')} />`;
            return html`<ul class="short-list">${rows.map((/** @type {any} */ each) => html`<li key=${each.id}><${Device} session=${each} href=${sessionLink(each.id)} /><span class="small faint"><${Time} at=${each.last_seen_at} relative /></span></li>`)}</ul>`;
        }}</${Loaded}></${Card}>`;
}
