// A session in words, for every screen that shows sessions.
import { html } from '../preact.js';
import { link } from '../router.js';
import { named, t } from '../words.js';
import { Icon } from './icon.js';
import { Badge } from './page.js';

/** @typedef {any} Session as `GET /v1/sessions/{id}` returns it */

/** @type {Record<string, 'good' | 'quiet' | 'bad' | 'warn'>} */
const KINDS = { active: 'good', expired: 'quiet', idle_expired: 'quiet', ended: 'quiet' };

/** @param {{ session: Session }} props */
export const State = ({ session }) => html`<${Badge} kind=${session.end_reason === 'reuse_detected' ? 'bad' : KINDS[session.state]}>
    ${session.state === 'ended' ? named('reason', session.end_reason) || t('state.ended') : named('state', session.state)}</${Badge}>`;

/** @param {Session} session */
export const deviceName = ({ device }) => device.name || named('device', device.type);

/** @param {{ session: Session, href?: string }} props */
export const Device = ({ session, href }) => html`<span class="device" title=${named('device', session.device.type)}><${Icon} name=${session.device.type} />
    ${href ? html`<a href=${href}><bdi>${deviceName(session)}</bdi></a>` : html`<bdi>${deviceName(session)}</bdi>`}</span>`;

/** @param {Session} session */
export const placeName = (session) => {
    const { city, country } = session.last_place ?? session.place ?? {};
    return [city, country].filter(Boolean).join(', ') || session.last_location || session.location || '';
};

/** @param {{ session: Session }} props */
export const Place = ({ session }) => {
    const address = session.last_ip_address ?? session.ip_address;
    return html`<span class="two"><bdi>${placeName(session) || html`<span class="clip mono">${address ?? '–'}</span>`}</bdi>${placeName(session) && address && html`<span class="clip faint small mono" title=${address}>${address}</span>`}</span>`;
};

/** @param {{ id: string }} props */
export const UserLink = ({ id }) => html`<a class="clip tight" href=${link(`/users/${encodeURIComponent(id)}`)} title=${id}><bdi>${id}</bdi></a>`;

/** @param {string} id */
export const sessionLink = (id) => link(`/sessions/${encodeURIComponent(id)}`);
