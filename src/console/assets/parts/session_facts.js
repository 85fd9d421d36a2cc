// The facts about a session, in cards.
import { get, now } from '../api.js';
import { html, useEffect, useState } from '../preact.js';
import { link } from '../router.js';
import { duration, exact, Time, utcText } from '../time.js';
import { utc } from '../store.js';
import { named, t } from '../words.js';
import { Id } from './copy.js';
import { Badge, Card, Facts } from './page.js';
import { placeName, UserLink } from './session_words.js';
import { useLoad } from './states.js';

/** @param {string | null | undefined} at */
const millis = (at) => (at ? Date.parse(at) : NaN);

/** When the session would expire for want of use, if it has such a limit. @param {any} session */
export const idleEnd = (session) => (session.idle_timeout ? new Date(millis(session.last_seen_at) + session.idle_timeout * 1000).toISOString() : null);

/**
 * Both clocks as one bar: it begins with the opening and reaches to the end that nothing moves later.
 * @param {{ session: any }} props
 */
export function Clocks({ session }) {
    utc.use();
    const [, tick] = useState(0);
    useEffect(() => {
        const timer = setInterval(() => !document.hidden && tick((count) => count + 1), 15_000);
        return () => clearInterval(timer);
    }, []);
    const start = millis(session.created_at);
    const whole = Math.max(1, millis(session.absolute_expires_at) - start);
    const active = session.state === 'active';
    const idle = idleEnd(session);
    const over = session.ended_at ?? (active ? null : [session.expires_at, idle].filter(Boolean).sort()[0]);
    const until = over ? millis(over) : now();
    const end = Math.min(millis(session.expires_at), idle ? millis(idle) : Infinity);
    /** @param {number} at */
    const part = (at) => `${(100 * Math.min(1, Math.max(0, (at - start) / whole))).toFixed(2)}%`;
    /** @type {[string, string | null, string][]} */
    const marks = [
        ['opened', session.created_at, 'start'],
        ['last_seen', session.last_seen_at, 'seen'],
        [session.ended_at ? 'ended' : 'expired', active ? null : over, 'over'],
        ['idle_end', active ? idle : null, 'idle'],
        ['expires', session.ended_at ? null : session.expires_at, 'end'],
        ['absolute', session.absolute_expires_at, 'absolute'],
    ];
    const shown = marks.filter(([, at]) => at);
    return html`<div class="clock" aria-hidden="true"><div class="clock-track"><div class="clock-left" style=${{ insetInlineStart: part(until), insetInlineEnd: `calc(100% - ${part(active ? end : until)})` }}></div>
        <div class=${`clock-past ${active ? '' : 'over'}`} style=${{ inlineSize: part(until) }}></div>
        ${shown.map(([name, at, kind]) => html`<i key=${name} class=${`clock-mark ${kind}`} style=${{ insetInlineStart: part(millis(at)) }}></i>`)}
        ${active && html`<b class="clock-now" style=${{ insetInlineStart: part(until) }}><span>${t('session.now')}</span></b>`}</div></div>
        ${active && html`<p class="small muted clock-words">${t(idle && millis(idle) <= millis(session.expires_at) ? 'session.left_idle' : 'session.left', { time: duration((end - until) / 1000) })}</p>`}
        <dl class="clock-list">${shown.map(([name, at]) => html`<div key=${name}><dt>${t(`session.${name}_mark`)}</dt>
            <dd><${Time} at=${at} relative /><span class="faint small" title=${utcText(/** @type {string} */ (at))}>${exact(/** @type {string} */ (at))}</span></dd></div>`)}</dl>`;
}

/** A value that leads to all sessions which share it. @param {{ name: string, value: string, mono?: boolean }} props */
const Shared = ({ name, value, mono }) => html`<a href=${link('/sessions', { [name]: value })} title=${t('session.same')}><bdi class=${mono ? 'mono' : ''}>${value}</bdi></a>`;

/** @param {any} session @param {'place' | 'last_place'} which */
const network = (session, which) => {
    const { asn, organization } = session[which]?.network ?? {};
    return [organization, asn && `AS${asn}`].filter(Boolean).join(', ');
};

/** @param {{ session: any }} props */
export function Circumstances({ session }) {
    const { device, ip_address: first, last_ip_address: last } = session;
    const net = network(session, 'last_place') || network(session, 'place');
    return html`<${Card} title=${t('session.device')}><${Facts} items=${[
        [t('sessions.device_type'), html`<a href=${link('/sessions', { device_type: device.type })}>${named('device', device.type)}</a>`],
        [t('sessions.browser'), device.browser && html`<${Shared} name="browser" value=${device.browser} /> ${device.browser_version ?? ''}`],
        [t('sessions.os'), device.os && html`<${Shared} name="os" value=${device.os} /> ${device.os_version ?? ''}`],
        device.model && [t('session.model'), html`<bdi>${device.model}</bdi>`],
        [t('session.user_agent'), session.user_agent && html`<code class="raw"><bdi>${session.user_agent}</bdi></code>`],
        [t('session.address'), first && html`<${Shared} name="ip_address" value=${first} mono />`],
        last && last !== first && [t('session.last_address'), html`<${Shared} name="ip_address" value=${last} mono />`],
        [t('session.place'), placeName(session) && html`<bdi>${placeName(session)}</bdi>`],
        net && [t('session.network'), html`<bdi>${net}</bdi>`],
    ]} /></${Card}>`;
}

/** @param {{ words: string[] }} props */
const Words = ({ words }) => html`<span class="row wrap">${words.map((word) => html`<bdi key=${word} class="tag mono">${word}</bdi>`)}</span>`;

/** The user as the server knows it; a deleted one is an id alone. @param {{ id: string }} props */
function Person({ id }) {
    const user = useLoad((signal) => get(`/v1/users/${encodeURIComponent(id)}`, {}, signal), [id]);
    const { name, email, banned } = /** @type {any} */ (user.data) ?? {};
    return html`<span class="row wrap"><${UserLink} id=${id} />${name && html`<bdi>${name}</bdi>`}${email && html`<bdi class="muted">${email}</bdi>`}${banned && html`<${Badge} kind="bad">${t('session.banned')}</${Badge}>`}</span>`;
}

/** @param {{ session: any }} props */
export function Rights({ session }) {
    const scope = session.scope.split(' ').filter(Boolean);
    return html`<${Card} title=${t('session.rights')}><${Facts} items=${[
        [t('sessions.user'), html`<${Person} id=${session.user_id} />`],
        [t('sessions.application'), session.client_id && html`<${Shared} name="client_id" value=${session.client_id} />`],
        [t('sessions.scope'), scope.length ? html`<${Words} words=${scope} />` : undefined],
        [t('sessions.acr'), session.acr],
        [t('session.amr'), session.amr?.length ? html`<${Words} words=${session.amr} />` : undefined],
        [t('session.auth_time'), html`<${Time} at=${session.auth_time} relative />`],
        [t('sessions.opened_by'), session.opened_by && html`<a href=${link('/sessions', { opened_by: session.opened_by })} title=${t('session.same')}><${Id} value=${session.opened_by} length=${27} /></a>`],
        [t('sessions.session'), html`<${Id} value=${session.id} length=${36} copy />`],
    ]} /></${Card}>`;
}

/** @param {{ session: any }} props */
export function Stored({ session }) {
    const parts = [['metadata', session.metadata], ['claims', session.claims]].filter(([, value]) => value && Object.keys(value).length);
    if (!parts.length) return null;
    return parts.map(([name, value]) => html`<${Card} key=${name} title=${t(`session.${name}`)}><pre class="json" tabindex="0" role="region" aria-label=${t(`session.${name}`)}><code>${JSON.stringify(value, null, 2)}</code></pre></${Card}>`);
}
