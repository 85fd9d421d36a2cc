// Service keys: the credentials of programs. A new one is shown once.
import { get, post, remove } from '../api.js';
import { Copy, Id } from '../parts/copy.js';
import { Confirm, Dialog } from '../parts/dialog.js';
import { Check, Field } from '../parts/field.js';
import { Icon } from '../parts/icon.js';
import { Badge, Banner, Card, Page } from '../parts/page.js';
import { Empty, Failure, Loaded, useLoad } from '../parts/states.js';
import { Table } from '../parts/table.js';
import { toast } from '../parts/toast.js';
import { html, useEffect, useState } from '../preact.js';
import { link } from '../router.js';
import { isAdmin } from '../store.js';
import { Time } from '../time.js';
import { t } from '../words.js';

/** @typedef {import('openapi').components['schemas']['ServiceKey']} Key */

/** The rights of a key, the usual ones first. */
const RIGHTS = ['sessions:read', 'sessions:write', 'sessions:admin', 'sessions:grant'];
const DAY = 86_400;
/** Lifetimes to choose from, in seconds; the empty one is "does not expire". @type {[string, string][]} */
const LIFETIMES = [[String(30 * DAY), 'keys.days_30'], [String(90 * DAY), 'keys.days_90'], [String(365 * DAY), 'keys.days_365'], ['', 'keys.never']];

/** @param {Key} key */
const stateOf = (key) => (key.active ? 'active' : key.revoked_at ? 'revoked' : 'expired');

export default function Keys() {
    const keys = useLoad((signal) => get('/v1/keys', {}, signal), []);
    const [making, setMaking] = useState(false);
    const [made, setMade] = useState(/** @type {{ key: Key, secret: string } | null} */ (null));
    const [revoking, setRevoking] = useState(/** @type {Key | null} */ (null));
    const make = isAdmin() && html`<button class="button primary" onClick=${() => setMaking(true)}><${Icon} name="plus" />${t('keys.make')}</button>`;
    return html`<${Page} title=${t('keys.title')} lead=${t('keys.lead')} actions=${make}><${Card} flush><${Loaded} of=${keys}>${(/** @type {{ keys: Key[] }} */ data) =>
        data.keys.length ? html`<${Table} caption=${t('keys.title')} rows=${data.keys} id=${(/** @type {Key} */ key) => key.id}
            quiet=${(/** @type {Key} */ key) => !key.active} columns=${columns(setRevoking)} />`
            : html`<${Empty} icon="keys" title=${t('keys.none')} text=${t('keys.none_text')}>${make}</${Empty}>`}</${Loaded}></${Card}>
        ${making && html`<${Make} onClose=${() => setMaking(false)} onMade=${(/** @type {any} */ answer) => {
            setMaking(false);
            setMade(answer);
            keys.reload();
        }} />`}
        ${made && html`<${Shown} made=${made} onClose=${() => setMade(null)} />`}
        ${revoking && html`<${Revoke} of=${revoking} onClose=${() => setRevoking(null)} onDone=${keys.reload} />`}</${Page}>`;
}

/** @param {(key: Key) => void} revoke @returns {import('../parts/table.js').Column<Key>[]} */
const columns = (revoke) => [
    { id: 'name', label: t('keys.name'), lead: true, cell: (key) => html`<div class="stacked"><bdi class="clip">${key.name}</bdi><${Id} value=${key.id} copy /></div>` },
    { id: 'state', label: t('keys.state'), cell: (key) => html`<${Badge} kind=${key.active ? 'good' : 'quiet'}>${t(`keys.state_${stateOf(key)}`)}</${Badge}>` },
    { id: 'scope', label: t('keys.scope'), cell: (key) => html`<span class="tags">${key.scope.split(' ').map((word) => html`<code key=${word}>${word}</code>`)}</span>` },
    { id: 'client_id', label: t('keys.application'), cell: (key) => (key.client_id ? html`<bdi>${key.client_id}</bdi>` : html`<span class="faint">${t('keys.any')}</span>`) },
    { id: 'created_at', label: t('keys.made'), cell: (key) => html`<${Time} at=${key.created_at} relative />` },
    { id: 'expires_at', label: t('keys.expires'), cell: (key) => (key.revoked_at ? html`<span class="faint">–</span>`
        : key.expires_at ? html`<${Time} at=${key.expires_at} relative />` : t('keys.never')) },
    { id: 'actions', label: t('common.actions'), bare: true, end: true, cell: (key) => html`<div class="row">
        <a class="button small" href=${link('/sessions', { opened_by: `key:${key.id}` })} aria-label=${t('keys.sessions_of', { name: key.name })}>${t('keys.sessions')}</a>
        ${isAdmin() && key.active && html`<button class="button small danger quiet" aria-label=${t('keys.revoke_this', { name: key.name })}
            onClick=${() => revoke(key)}>${t('keys.revoke')}</button>`}</div>` },
];

/** @param {{ onClose: () => void, onMade: (answer: any) => void }} props */
function Make({ onClose, onMade }) {
    const applications = useLoad((signal) => get('/v1/applications', {}, signal), []);
    const [name, setName] = useState('');
    const [rights, setRights] = useState(['sessions:read']);
    const [application, setApplication] = useState('');
    const [lifetime, setLifetime] = useState(String(365 * DAY));
    const [state, setState] = useState(/** @type {{ busy?: boolean, error?: any }} */ ({}));
    /** @param {Event} event */
    const submit = async (event) => {
        event.preventDefault();
        setState({ busy: true });
        const body = { name: name.trim(), scope: rights.join(' '), client_id: application.trim() || undefined, expires_in: lifetime ? Number(lifetime) : null };
        await post('/v1/keys', body).then(onMade, (error) => setState({ error }));
    };
    /** @param {string} right @param {boolean} on */
    const choose = (right, on) => setRights(RIGHTS.filter((each) => (each === right ? on : rights.includes(each))));
    const known = (applications.data?.applications ?? []).map((/** @type {{ client_id: string }} */ each) => each.client_id);
    return html`<${Dialog} title=${t('keys.make')} onClose=${onClose}><form class="stack" onSubmit=${submit}>
        <${Field} label=${t('keys.name')} hint=${t('keys.name_hint')} value=${name} onInput=${setName} focused required maxlength="255" autocomplete="off" />
        <fieldset class="stack"><legend>${t('keys.scope')}</legend>${RIGHTS.map((right) => html`<${Check} key=${right} label=${html`<code>${right}</code>`}
            hint=${t(`keys.right_${right.split(':')[1]}`)} checked=${rights.includes(right)} onChange=${(/** @type {boolean} */ on) => choose(right, on)} />`)}</fieldset>
        <${Field} label=${t('keys.application')} hint=${t('keys.application_hint')} value=${application} onInput=${setApplication} list="key-applications" maxlength="255" autocomplete="off" />
        <datalist id="key-applications">${known.map((/** @type {string} */ each) => html`<option key=${each} value=${each} />`)}</datalist>
        <${Field} label=${t('keys.lifetime')} value=${lifetime} onInput=${setLifetime} choices=${LIFETIMES.map(([value, word]) => [value, t(word)])} />
        ${state.error && html`<${Failure} error=${state.error} />`}
        <div class="row actions"><button type="button" class="button" onClick=${onClose}>${t('common.cancel')}</button>
        <button class="button primary" disabled=${state.busy || !rights.length || !name.trim()}>${t('keys.make_now')}</button></div></form></${Dialog}>`;
}

/**
 * The new key. It is gone when this closes, so that a first try to close it without a click on its button only warns.
 * @param {{ made: { key: Key, secret: string }, onClose: () => void }} props
 */
function Shown({ made, onClose }) {
    const [warned, setWarned] = useState(false);
    const close = () => {
        onClose();
        toast(t('keys.was_made', { name: made.key.name }));
    };
    return html`<${Dialog} title=${t('keys.new')} onClose=${() => (warned ? close() : setWarned(true))}><div class="stack">
        <p>${t('keys.shown_once')}</p><output class="secret mono">${made.secret}</output>
        <div class="row"><${Copy} text=${made.secret} label=${t('keys.copy')} wide /></div>
        ${warned && html`<${Banner} kind="warn"><${Icon} name="warning" /><span>${t('keys.stored')}</span></${Banner}>`}
        <div class="row actions"><button class="button primary" onClick=${close}>${t('keys.have_stored')}</button></div></div></${Dialog}>`;
}

/** @param {{ of: Key, onClose: () => void, onDone: () => void }} props */
function Revoke({ of: key, onClose, onDone }) {
    const [end, setEnd] = useState(false);
    const [opened, setOpened] = useState(/** @type {number | undefined} */ (undefined));
    useEffect(() => {
        post('/v1/sessions/revoke', { filter: { opened_by: `key:${key.id}` }, dry_run: true }).then((answer) => setOpened(answer.revoked), () => {});
    }, [key.id]);
    const confirm = async () => {
        const { ended } = await remove(`/v1/keys/${key.id}`, { end_sessions: end || undefined });
        toast(end ? t('keys.was_revoked_with', { name: key.name, n: ended ?? opened ?? 0 }) : t('keys.was_revoked', { name: key.name }));
        onDone();
        onClose();
    };
    return html`<${Confirm} title=${t('keys.revoke_this', { name: key.name })} action=${t('keys.revoke')} onConfirm=${confirm} onClose=${onClose}>
        <p>${t('keys.revoke_text')}</p>
        <p>${opened ? t('keys.opened', { n: opened }) : t(opened === 0 ? 'keys.opened_none' : 'keys.opened_unknown')}</p>
        <${Check} label=${t('keys.end_sessions')} hint=${t('keys.end_sessions_hint')} checked=${end} onChange=${setEnd} /></${Confirm}>`;
}
