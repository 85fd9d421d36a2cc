// The columns of a table of sessions, and what a row says in a file.
import { html } from '../preact.js';
import { Time } from '../time.js';
import { named, t } from '../words.js';
import { Id } from './copy.js';
import { Device, deviceName, Place, placeName, sessionLink, State, UserLink } from './session_words.js';

/** The columns of somebody who has chosen none. */
export const USUAL = ['user', 'device', 'state', 'place', 'application', 'opened', 'last_seen', 'ends'];

const faint = html`<span class="faint">–</span>`;

/** @returns {(import('./table.js').Column<any> & { text: (session: any) => string })[]} `text` is the value in a file */
export const sessionColumns = () => [
    { id: 'device', label: t('sessions.device'), lead: true, cell: (row) => html`<${Device} session=${row} href=${sessionLink(row.id)} />${row.current && html` <span class="tag">${t('sessions.current')}</span>`}`, text: deviceName },
    { id: 'user', label: t('sessions.user'), cell: (row) => html`<${UserLink} id=${row.user_id} />`, text: (row) => row.user_id },
    { id: 'state', label: t('sessions.state'), cell: (row) => html`<${State} session=${row} />`, text: (row) => (row.state === 'ended' ? named('reason', row.end_reason) : named('state', row.state)) },
    { id: 'place', label: t('sessions.place'), cell: (row) => html`<${Place} session=${row} />`, text: (row) => [placeName(row), row.last_ip_address ?? row.ip_address].filter(Boolean).join(' ') },
    { id: 'application', label: t('sessions.application'), cell: (row) => (row.client_id ? html`<bdi class="clip tight">${row.client_id}</bdi>` : faint), text: (row) => row.client_id ?? '' },
    { id: 'opened', label: t('sessions.opened'), sort: 'created_at', cell: (row) => html`<${Time} at=${row.created_at} relative />`, text: (row) => row.created_at },
    { id: 'last_seen', label: t('sessions.last_seen'), sort: 'last_seen_at', cell: (row) => html`<${Time} at=${row.last_seen_at} relative />`, text: (row) => row.last_seen_at },
    { id: 'ends', label: t('sessions.ends'), sort: 'expires_at', cell: (row) => html`<${Time} at=${row.ended_at ?? row.expires_at} relative />`, text: (row) => row.ended_at ?? row.expires_at },
    { id: 'acr', label: t('sessions.acr'), cell: (row) => row.acr ?? faint, text: (row) => row.acr ?? '' },
    { id: 'scope', label: t('sessions.scope'), cell: (row) => html`<span class="clip mono small" title=${row.scope}>${row.scope || '–'}</span>`, text: (row) => row.scope },
    { id: 'opened_by', label: t('sessions.opened_by'), cell: (row) => (row.opened_by ? html`<${Id} value=${row.opened_by} length=${21} />` : faint), text: (row) => row.opened_by ?? '' },
    { id: 'session', label: t('sessions.session'), cell: (row) => html`<${Id} value=${row.id} copy />`, text: (row) => row.id },
];
