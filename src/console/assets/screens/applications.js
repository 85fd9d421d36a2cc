// Applications: audiences, lifetimes, scope and cookie of each `client_id` that has a record.
import { get, patch, post, remove } from '../api.js';
import { Confirm, Dialog } from '../parts/dialog.js';
import { Field } from '../parts/field.js';
import { Icon } from '../parts/icon.js';
import { Card, Page } from '../parts/page.js';
import { Empty, Failure, Loaded, useLoad } from '../parts/states.js';
import { Table } from '../parts/table.js';
import { toast } from '../parts/toast.js';
import { html, useState } from '../preact.js';
import { link } from '../router.js';
import { isAdmin } from '../store.js';
import { duration } from '../time.js';
import { t } from '../words.js';

/** @typedef {import('openapi').components['schemas']['Application']} Application */

/** Members that are a number of seconds. */
const SECONDS = /** @type {const} */ (['absolute_lifetime', 'idle_timeout', 'access_token_lifetime']);
/** Members that are a list, written as one word a line. */
const LISTS = /** @type {const} */ (['audiences', 'claims']);
const ALGORITHMS = ['EdDSA', 'ES256', 'RS256'];

export default function Applications() {
    const applications = useLoad((signal) => get('/v1/applications', {}, signal), []);
    const [edited, setEdited] = useState(/** @type {Partial<Application> | null} */ (null));
    const [deleted, setDeleted] = useState(/** @type {Application | null} */ (null));
    const make = isAdmin() && html`<button class="button primary" onClick=${() => setEdited({})}><${Icon} name="plus" />${t('applications.make')}</button>`;
    return html`<${Page} title=${t('applications.title')} lead=${t('applications.lead')} actions=${make}>
        <${Card} flush><${Loaded} of=${applications}>${(/** @type {{ applications: Application[] }} */ data) => (data.applications.length
            ? html`<${Table} caption=${t('applications.title')} rows=${data.applications} id=${(/** @type {Application} */ each) => each.client_id} columns=${columns(setEdited, setDeleted)} />`
            : html`<${Empty} icon="applications" title=${t('applications.none')} text=${t('applications.none_text')}>${make}</${Empty}>`)}</${Loaded}></${Card}>
        ${edited && html`<${Edit} of=${edited} onClose=${() => setEdited(null)} onDone=${applications.reload} />`}
        ${deleted && html`<${Delete} of=${deleted} onClose=${() => setDeleted(null)} onDone=${applications.reload} />`}</${Page}>`;
}

/** @param {{ seconds?: number | null }} props */
const Limit = ({ seconds }) => (seconds ? html`<span class="nowrap">${duration(seconds)}</span>` : html`<span class="faint">${t('applications.servers')}</span>`);

/**
 * @param {(application: Application) => void} edit
 * @param {(application: Application) => void} drop
 * @returns {import('../parts/table.js').Column<Application>[]}
 */
const columns = (edit, drop) => [
    { id: 'client_id', label: t('applications.application'), lead: true, cell: (each) => html`<div class="stacked"><bdi class="clip">${each.name}</bdi>
        ${each.name !== each.client_id && html`<bdi class="mono muted small clip">${each.client_id}</bdi>`}</div>` },
    { id: 'absolute_lifetime', label: t('applications.absolute_lifetime'), cell: (each) => html`<${Limit} seconds=${each.absolute_lifetime} />` },
    { id: 'idle_timeout', label: t('applications.idle_timeout'), cell: (each) => html`<${Limit} seconds=${each.idle_timeout} />` },
    { id: 'access_token_lifetime', label: t('applications.access_token_lifetime'), cell: (each) => html`<${Limit} seconds=${each.access_token_lifetime} />` },
    { id: 'scope', label: t('applications.scope'), cell: (each) => (each.scope ? html`<code class="clip" title=${each.scope}>${each.scope}</code>` : html`<span class="faint">${t('applications.any')}</span>`) },
    { id: 'signing_algorithm', label: t('applications.signing_algorithm'), cell: (each) => (each.signing_algorithm ? html`<code>${each.signing_algorithm}</code>`
        : html`<span class="faint">${t('applications.servers')}</span>`) },
    { id: 'actions', label: t('common.actions'), bare: true, end: true, cell: (each) => html`<div class="row">
        <a class="button small" href=${link('/sessions', { client_id: each.client_id, state: 'active' })} aria-label=${t('applications.sessions_of', { name: each.name })}>${t('applications.sessions')}</a>
        ${isAdmin() && html`<button class="button small" aria-label=${t('applications.edit_this', { name: each.name })} onClick=${() => edit(each)}>${t('applications.edit')}</button>
        <button class="button small danger quiet" aria-label=${t('applications.delete_this', { name: each.name })} onClick=${() => drop(each)}>${t('applications.delete')}</button>`}</div>` },
];

/** The values of the form's fields for an application. @param {Partial<Application>} of @returns {Record<string, string>} */
const fieldsOf = (of) => ({
    client_id: of.client_id ?? '', name: of.name ?? '', scope: of.scope ?? '', cookie_name: of.cookie_name ?? '', signing_algorithm: of.signing_algorithm ?? '',
    ...Object.fromEntries(SECONDS.map((name) => [name, String(of[name] ?? '')])),
    ...Object.fromEntries(LISTS.map((name) => [name, (of[name] ?? []).join('\n')])),
});

/** The request of a filled form. An emptied field takes a limit away. @param {Record<string, string>} fields */
function bodyOf(fields) {
    const body = {
        name: fields.name.trim() || undefined, scope: fields.scope.trim() || null, cookie_name: fields.cookie_name.trim() || null, signing_algorithm: fields.signing_algorithm || null,
        ...Object.fromEntries(SECONDS.map((name) => [name, fields[name] ? Number(fields[name]) : null])),
        ...Object.fromEntries(LISTS.map((name) => [name, fields[name].split(/\s+/).filter(Boolean)])),
    };
    return body;
}

/** @param {{ of: Partial<Application>, onClose: () => void, onDone: () => void }} props an application without a `client_id` is a new one */
function Edit({ of, onClose, onDone }) {
    const [fields, setFields] = useState(fieldsOf(of));
    const [state, setState] = useState(/** @type {{ busy?: boolean, error?: any }} */ ({}));
    const fresh = of.client_id === undefined;
    /** @param {Event} event */
    const submit = async (event) => {
        event.preventDefault();
        setState({ busy: true });
        try {
            const body = bodyOf(fields);
            if (fresh) await post('/v1/applications', { client_id: fields.client_id.trim(), ...body });
            else await patch(`/v1/applications/${encodeURIComponent(of.client_id ?? '')}`, body);
            toast(t(fresh ? 'applications.was_made' : 'applications.was_changed', { name: fields.name || fields.client_id }));
            onDone();
            onClose();
        } catch (error) {
            setState({ error });
        }
    };
    const errors = Object.fromEntries((state.error?.errors ?? []).map((/** @type {any} */ each) => [each.field, each.message]));
    /** @param {string} name @param {Record<string, any>} [more] */
    const field = (name, more) => html`<${Field} key=${name} label=${t(`applications.${name}`)} value=${fields[name]} error=${errors[name]} autocomplete="off"
        onInput=${(/** @type {string} */ text) => setFields((before) => ({ ...before, [name]: text }))} ...${more} />`;
    const told = state.error && !Object.keys(errors).some((name) => name in fields);
    return html`<${Dialog} wide title=${fresh ? t('applications.make') : t('applications.edit_this', { name: of.name ?? '' })} onClose=${onClose}><form class="stack" onSubmit=${submit}>
        <div class="grid two">${field('client_id', { required: true, disabled: !fresh, mono: true, hint: fresh && t('applications.client_id_hint') })}
        ${field('name', { maxlength: 255, hint: fresh && t('applications.name_hint') })}</div>
        <div class="grid three">${SECONDS.map((name) => field(name, { type: 'number', min: name === 'access_token_lifetime' ? 10 : 60, placeholder: t('applications.servers'),
            hint: fields[name] ? t('applications.that_is', { duration: duration(Number(fields[name])) }) : t('applications.in_seconds') }))}</div>
        <div class="grid two">${field('scope', { placeholder: t('applications.any'), hint: t('applications.scope_hint') })}
        ${field('cookie_name', { mono: true, hint: t('applications.cookie_hint') })}
        ${field('audiences', { rows: 2, mono: true, hint: t('applications.one_a_line') })}
        ${field('claims', { rows: 2, mono: true, hint: t('applications.one_a_line') })}
        ${field('signing_algorithm', { choices: [['', t('applications.servers')], ...ALGORITHMS.map((each) => [each, each])] })}</div>
        ${!fresh && html`<p class="muted small">${t('applications.edit_text')}</p>`}
        ${told && html`<${Failure} error=${state.error} />`}
        <div class="row actions"><button type="button" class="button" onClick=${onClose}>${t('common.cancel')}</button>
        <button class="button primary" disabled=${state.busy || (fresh && !fields.client_id.trim())}>${t(fresh ? 'applications.make_now' : 'applications.save')}</button></div></form></${Dialog}>`;
}

/** @param {{ of: Application, onClose: () => void, onDone: () => void }} props */
function Delete({ of: { client_id, name }, onClose, onDone }) {
    const confirm = async () => {
        await remove(`/v1/applications/${encodeURIComponent(client_id)}`);
        toast(t('applications.was_deleted', { name }));
        onDone();
        onClose();
    };
    return html`<${Confirm} title=${t('applications.delete_this', { name })} action=${t('applications.delete')} onConfirm=${confirm} onClose=${onClose}>
        <p>${t('applications.delete_text')}</p></${Confirm}>`;
}
