// Filters for the time after an incident.
import { get } from '../api.js';
import { Field } from '../parts/field.js';
import { Icon } from '../parts/icon.js';
import { Popover } from '../parts/popover.js';
import { Failure, useLoad } from '../parts/states.js';
import { html, useState } from '../preact.js';
import { t } from '../words.js';

/** @typedef {import('./end.js').Filter} Filter */

/** @param {{ filter: Filter, onChoose: (filter: Filter) => void }} props */
export const Presets = ({ filter, onChoose }) => html`<div class="presets" role="group" aria-label=${t('end.presets')}>
    <${Preset} name="key" icon="keys" on=${Boolean(filter.opened_by)}>${(/** @type {() => void} */ close) => html`<${OfKey} onChoose=${(/** @type {string} */ id) => (close(), onChoose({ opened_by: id }))} />`}</${Preset}>
    <${Preset} name="network" icon="filter" on=${Boolean(filter.ip_address)}>${(/** @type {() => void} */ close) => html`<${Text} name="network" onChoose=${(/** @type {string} */ text) => (close(), onChoose({ ip_address: text }))} />`}</${Preset}>
    <${Preset} name="application" icon="applications" on=${Boolean(filter.client_id)}>${(/** @type {() => void} */ close) => html`<${Text} name="application" onChoose=${(/** @type {string} */ text) => (close(), onChoose({ client_id: text }))} />`}</${Preset}>
    <button class="preset" aria-pressed=${Object.keys(filter).length ? 'false' : 'true'} onClick=${() => onChoose({})}><${Words} name="everybody" icon="users" /></button></div>`;

/** @param {{ name: string, icon: string }} props */
const Words = ({ name, icon }) => html`<${Icon} name=${icon} /><span class="stacked"><span class="strong">${t(`end.preset_${name}`)}</span><span class="muted small">${t(`end.preset_${name}_text`)}</span></span>`;

/** @param {{ name: string, icon: string, on: boolean, children: (close: () => void) => any }} props */
const Preset = ({ name, icon, on, children }) => html`<${Popover} class=${`preset ${on ? 'on' : ''}`} button=${html`<${Words} name=${name} icon=${icon} />`}>${children}</${Popover}>`;

/** @param {{ name: string, onChoose: (text: string) => void }} props */
function Text({ name, onChoose }) {
    const [text, setText] = useState('');
    /** @param {Event} event */
    const submit = (event) => {
        event.preventDefault();
        if (text.trim()) onChoose(text.trim());
    };
    return html`<form class="stack" onSubmit=${submit}><${Field} label=${t(`end.${name}`)} hint=${t(`end.${name}_hint`)} value=${text} onInput=${setText} autocomplete="off" spellcheck="false" required />
        <button class="button primary small">${t('chips.apply')}</button></form>`;
}

/** @param {{ onChoose: (openedBy: string) => void }} props */
function OfKey({ onChoose }) {
    const keys = useLoad((signal) => get('/v1/keys', {}, signal), []);
    const [chosen, setChosen] = useState('bootstrap');
    /** @param {Event} event */
    const submit = (event) => {
        event.preventDefault();
        onChoose(chosen);
    };
    const known = (keys.data?.keys ?? []).filter((/** @type {any} */ key) => key.scope.includes('sessions:write') || key.scope.includes('sessions:admin'));
    const choices = [['bootstrap', t('end.bootstrap')], ...known.map((/** @type {any} */ key) => [`key:${key.id}`, key.name.length > 40 ? `${key.name.slice(0, 39)}…` : key.name])];
    return html`<form class="stack" onSubmit=${submit}><${Field} label=${t('end.key')} choices=${choices} value=${chosen} onInput=${setChosen} />
        ${keys.error && html`<${Failure} error=${keys.error} />`}<button class="button primary small">${t('chips.apply')}</button></form>`;
}
