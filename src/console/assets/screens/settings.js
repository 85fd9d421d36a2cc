// Every setting of this server: its value, its default, and where the value came from.
import { get } from '../api.js';
import { Field, Segments } from '../parts/field.js';
import { Badge, Card, Page } from '../parts/page.js';
import { Empty, Loaded, useLoad } from '../parts/states.js';
import { Table } from '../parts/table.js';
import { html, useState } from '../preact.js';
import { named, t } from '../words.js';

/**
 * @typedef {object} Setting
 * @property {string} name
 * @property {string} description
 * @property {string | null} [default]
 * @property {string | null} [value] absent of a secret
 * @property {string} source
 * @property {boolean} secret
 * @property {boolean} is_set
 */

/** @param {Setting} setting @param {string} wanted */
const matches = ({ name, description, value }, wanted) => `${name} ${description} ${value ?? ''}`.toLowerCase().includes(wanted.trim().toLowerCase());

export default function Settings() {
    const settings = useLoad((signal) => get('/v1/settings', {}, signal), []);
    const [which, setWhich] = useState('all');
    const [wanted, setWanted] = useState('');
    return html`<${Page} title=${t('settings.title')} lead=${t('settings.lead')}><div class="row wrap toolbar">
        <${Field} label=${t('settings.search')} hideLabel placeholder=${t('settings.search')} type="search" value=${wanted} onInput=${setWanted} data-search />
        <${Segments} label=${t('settings.which')} value=${which} choices=${[['all', t('settings.all')], ['changed', t('settings.changed')]]} onChange=${setWhich} /></div>
        <${Card} flush><${Loaded} of=${settings}>${(/** @type {{ settings: Setting[] }} */ data) => {
            const rows = data.settings.filter((each) => matches(each, wanted) && (which === 'all' || each.source !== 'default'));
            return rows.length ? html`<${Table} caption=${t('settings.title')} rows=${rows} id=${(/** @type {Setting} */ each) => each.name} columns=${columns()} />`
                : html`<${Empty} icon="settings" title=${t('settings.none')} text=${t(wanted ? 'settings.none_found' : 'settings.none_changed')} />`;
        }}</${Loaded}></${Card}></${Page}>`;
}

/** @returns {import('../parts/table.js').Column<Setting>[]} */
const columns = () => [
    { id: 'name', label: t('settings.name'), lead: true, cell: (setting) => html`<div class="stacked"><code class="breaks">${setting.name}</code>
        <span class="muted small">${setting.description}</span></div>` },
    { id: 'value', label: t('settings.value'), cell: (setting) => (setting.secret ? html`<${Badge} kind=${setting.is_set ? 'good' : 'quiet'}>${
        t(setting.is_set ? 'settings.set' : 'settings.not_set')}</${Badge}>` : html`<${Value} text=${setting.value} />`) },
    { id: 'default', label: t('settings.default'), cell: (setting) => html`<${Value} text=${setting.default} quiet />` },
    { id: 'source', label: t('settings.source'), cell: (setting) => html`<span class=${setting.source === 'default' ? 'muted' : 'strong'}>${named('source', setting.source)}</span>` },
];

/** @param {{ text?: string | null, quiet?: boolean }} props */
const Value = ({ text, quiet }) => (text ? html`<code class=${`breaks ${quiet ? 'muted' : ''}`}>${text}</code>` : html`<span class="faint">${t('settings.nothing')}</span>`);
