// Signing keys: which of them sign access tokens, and what a rotation does.
import { get, now, post } from '../api.js';
import { Id } from '../parts/copy.js';
import { Confirm } from '../parts/dialog.js';
import { Field } from '../parts/field.js';
import { Icon } from '../parts/icon.js';
import { Badge, Card, Page } from '../parts/page.js';
import { Loaded, useLoad } from '../parts/states.js';
import { Table } from '../parts/table.js';
import { toast } from '../parts/toast.js';
import { html, useState } from '../preact.js';
import { isAdmin } from '../store.js';
import { Time } from '../time.js';
import { t } from '../words.js';

/** @typedef {import('openapi').components['schemas']['SigningKey']} Key */

/** `next`: published and not signing yet; `signs`; `past`: published until its last token has expired. @param {Key} key @param {Key[]} keys */
function stateOf(key, keys) {
    const begun = (/** @type {Key} */ each) => Date.parse(each.active_from) <= now();
    if (!begun(key)) return 'next';
    const later = keys.some((each) => each.algorithm === key.algorithm && begun(each) && each.active_from > key.active_from);
    return later ? 'past' : 'signs';
}

/** @type {Record<string, 'good' | 'warn' | 'quiet'>} */
const KINDS = { signs: 'good', next: 'warn', past: 'quiet' };

export default function Signing() {
    const keys = useLoad((signal) => get('/v1/signing-keys', {}, signal), []);
    const [asked, setAsked] = useState(/** @type {'rotate' | 'compromised' | null} */ (null));
    const actions = isAdmin() && html`<button class="button" onClick=${() => setAsked('rotate')}>${t('signing.rotate')}</button>
        <button class="button danger quiet" onClick=${() => setAsked('compromised')}>${t('signing.rotate_compromised')}</button>`;
    return html`<${Page} title=${t('signing.title')} lead=${t('signing.lead')} actions=${actions}>
        <${Card} flush><${Loaded} of=${keys} rows=${2}>${(/** @type {{ keys: Key[] }} */ data) => html`<${Table} caption=${t('signing.title')} rows=${[...data.keys].reverse()}
            id=${(/** @type {Key} */ key) => key.kid} quiet=${(/** @type {Key} */ key) => stateOf(key, data.keys) === 'past'} columns=${columns(data.keys)} />`}</${Loaded}></${Card}>
        <div class="grid two"><${Steps} of="rotate" count=${3} /><${Steps} of="compromised" count=${3} /></div>
        ${asked && html`<${Rotate} compromised=${asked === 'compromised'} keys=${keys.data?.keys ?? []} onClose=${() => setAsked(null)} onDone=${keys.reload} />`}</${Page}>`;
}

/** @param {Key[]} keys @returns {import('../parts/table.js').Column<Key>[]} */
const columns = (keys) => [
    { id: 'kid', label: t('signing.kid'), lead: true, cell: (key) => html`<${Id} value=${key.kid} length=${21} copy />` },
    { id: 'state', label: t('signing.state'), cell: (key) => {
        const state = stateOf(key, keys);
        return html`<${Badge} kind=${KINDS[state]}>${t(`signing.state_${state}`)}</${Badge}>`;
    } },
    { id: 'algorithm', label: t('signing.algorithm'), cell: (key) => html`<code>${key.algorithm}</code>` },
    { id: 'created_at', label: t('signing.made'), cell: (key) => html`<${Time} at=${key.created_at} relative />` },
    { id: 'active_from', label: t('signing.from'), cell: (key) => html`<${Time} at=${key.active_from} relative />` },
];

/** The steps of a rotation, in order. @param {{ of: 'rotate' | 'compromised', count: number }} props */
const Steps = ({ of, count }) => html`<${Card} title=${t(`signing.${of}_title`)}><ol class="steps">${Array.from({ length: count }, (_, index) => html`<li key=${index}>
    <p class="strong">${t(`signing.${of}_when_${index + 1}`)}</p><p class="muted">${t(`signing.${of}_what_${index + 1}`)}</p></li>`)}</ol></${Card}>`;

/** @param {{ compromised: boolean, keys: Key[], onClose: () => void, onDone: () => void }} props */
function Rotate({ compromised, keys, onClose, onDone }) {
    const [algorithm, setAlgorithm] = useState('');
    const algorithms = [...new Set(keys.map((key) => key.algorithm))];
    const confirm = async () => {
        const made = await post('/v1/signing-keys/rotate', { algorithm: algorithm || undefined, compromised: compromised || undefined });
        toast(t(compromised ? 'signing.was_replaced' : 'signing.was_rotated', { kid: `${made.kid.slice(0, 8)}…` }));
        onDone();
        onClose();
    };
    return html`<${Confirm} title=${t(compromised ? 'signing.rotate_compromised' : 'signing.rotate')} action=${t(compromised ? 'signing.replace_now' : 'signing.rotate_now')}
        danger=${compromised} typed=${compromised ? t('signing.word') : undefined} onConfirm=${confirm} onClose=${onClose}>
        <p>${t(compromised ? 'signing.ask_compromised' : 'signing.ask_rotate')}</p>
        ${compromised && html`<p class="row"><${Icon} name="warning" /><span class="strong">${t('signing.no_undo')}</span></p>`}
        ${algorithms.length > 1 && html`<${Field} label=${t('signing.which')} value=${algorithm} onInput=${setAlgorithm}
            choices=${[['', t('signing.all')], ...algorithms.map((each) => [each, each])]} />`}</${Confirm}>`;
}
