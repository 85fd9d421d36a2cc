// Conditions of a search as chips: each is opened by a click and taken away by another.
import { html, useState } from '../preact.js';
import { formatted } from '../time.js';
import { utc } from '../store.js';
import { t } from '../words.js';
import { Field, focusOnce } from './field.js';
import { Icon } from './icon.js';
import { Popover } from './popover.js';

/**
 * @typedef {object} Condition
 * @property {string} name the parameter; of a range: `<name>_from` and `<name>_to`
 * @property {string} label
 * @property {'text' | 'choice' | 'range'} kind
 * @property {[string, string][]} [choices] values with their words
 * @property {string} [hint]
 */

/** @typedef {Record<string, string>} Values parameters and their values */

/** @param {Condition} condition @param {Values} values */
export const isSet = ({ name, kind }, values) => Boolean(kind === 'range' ? values[`${name}_from`] || values[`${name}_to`] : values[name]);

/** @param {Condition} condition @param {Values} values @returns {Values} */
function without({ name, kind }, values) {
    const rest = { ...values };
    for (const each of kind === 'range' ? [`${name}_from`, `${name}_to`] : [name]) delete rest[each];
    return rest;
}

/** @param {string} at */
const moment = (at) => formatted(new Date(at), { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' });

/** The text of a chip after its label. @param {Condition} condition @param {Values} values */
function said({ name, kind, choices }, values) {
    if (kind === 'choice') return choices?.find(([value]) => value === values[name])?.[1] ?? values[name];
    if (kind === 'text') return values[name];
    const [from, to] = [values[`${name}_from`], values[`${name}_to`]];
    if (from && to) return t('chips.between', { from: moment(from), to: moment(to) });
    return from ? t('chips.since', { from: moment(from) }) : t('chips.until', { to: moment(to) });
}

/**
 * @param {{ conditions: Condition[], values: Values, onChange: (values: Values) => void, children?: any }} props `children` stand after the chips
 */
export function Chips({ conditions, values, onChange, children }) {
    utc.use();
    const set = conditions.filter((each) => isSet(each, values));
    const open = conditions.filter((each) => !isSet(each, values));
    return html`<div class="chips" role="group" aria-label=${t('chips.label')}>${set.map((condition) => html`<span key=${condition.name} class="chip">
        <${Popover} class="chip-text" button=${html`<span class="muted">${condition.label}</span> <bdi>${said(condition, values)}</bdi>`}>${(/** @type {() => void} */ close) => html`
            <${Editor} condition=${condition} values=${values} onChange=${(/** @type {Values} */ next) => (close(), onChange(next))} />`}</${Popover}>
        <button class="chip-off" aria-label=${t('chips.remove', { name: condition.label })} onClick=${() => onChange(without(condition, values))}><${Icon} name="close" /></button></span>`)}
        <${Add} conditions=${open} values=${values} onChange=${onChange} />
        ${set.length > 1 && html`<button class="button bare small" onClick=${() => onChange(set.reduce((rest, each) => without(each, rest), values))}>${t('chips.clear')}</button>`}${children}</div>`;
}

/** @param {{ conditions: Condition[], values: Values, onChange: (values: Values) => void }} props */
function Add({ conditions, values, onChange }) {
    return html`<${Popover} class="button small" disabled=${!conditions.length} button=${html`<${Icon} name="filter" />${t('chips.add')}`}>${(/** @type {() => void} */ close) => html`
        <${Chooser} conditions=${conditions} values=${values} onChange=${(/** @type {Values} */ next) => (close(), onChange(next))} />`}</${Popover}>`;
}

/** @param {{ conditions: Condition[], values: Values, onChange: (values: Values) => void }} props */
function Chooser({ conditions, values, onChange }) {
    const [chosen, choose] = useState(/** @type {Condition | null} */ (null));
    if (chosen) return html`<${Editor} condition=${chosen} values=${values} onChange=${onChange} />`;
    return html`<ul class="menu">${conditions.map((each) => html`<li key=${each.name}><button type="button" onClick=${() => choose(each)}>${each.label}</button></li>`)}</ul>`;
}

/** @param {{ condition: Condition, values: Values, onChange: (values: Values) => void }} props */
function Editor({ condition, values, onChange }) {
    const { name, kind, label, choices, hint } = condition;
    const [text, setText] = useState(values[name] ?? '');
    if (kind === 'range') return html`<${Range} condition=${condition} values=${values} onChange=${onChange} />`;
    if (kind === 'choice') return html`<ul class="menu" aria-label=${label}>${choices?.map(([value, word], index) => html`<li key=${value}><button type="button"
        ref=${index === 0 ? focusOnce : undefined} aria-current=${values[name] === value ? 'true' : undefined} onClick=${() => onChange({ ...values, [name]: value })}>${word}</button></li>`)}</ul>`;
    /** @param {Event} event */
    const apply = (event) => {
        event.preventDefault();
        onChange(text.trim() ? { ...values, [name]: text.trim() } : without(condition, values));
    };
    return html`<form class="stack" onSubmit=${apply}><${Field} label=${label} value=${text} onInput=${setText} hint=${hint} focused autocomplete="off" spellcheck="false" />
        <button class="button primary small">${t('chips.apply')}</button></form>`;
}

const HOUR = 3_600_000;
/** @type {[string, number][]} */
const SPANS = [['hour', HOUR], ['day', 24 * HOUR], ['week', 7 * 24 * HOUR], ['month', 30 * 24 * HOUR]];

/** The value of a field for date and time: local, or UTC where the switch says so. @param {string | undefined} at */
function fieldOf(at) {
    if (!at) return '';
    const date = new Date(at);
    return new Date(date.getTime() - (utc.get() === 'on' ? 0 : date.getTimezoneOffset() * 60_000)).toISOString().slice(0, 16);
}

/** @param {string} text */
const instantOf = (text) => (text ? new Date(utc.get() === 'on' ? `${text}Z` : text).toISOString() : '');

/** @param {{ condition: Condition, values: Values, onChange: (values: Values) => void }} props */
function Range({ condition, values, onChange }) {
    const { name, label } = condition;
    const [from, setFrom] = useState(fieldOf(values[`${name}_from`]));
    const [to, setTo] = useState(fieldOf(values[`${name}_to`]));
    /** @param {string} start @param {string} end */
    const apply = (start, end) => onChange({ ...without(condition, values), ...(start && { [`${name}_from`]: start }), ...(end && { [`${name}_to`]: end }) });
    /** @param {Event} event */
    const submit = (event) => {
        event.preventDefault();
        apply(instantOf(from), instantOf(to));
    };
    return html`<form class="stack" onSubmit=${submit}><p class="strong small">${label}</p><div class="row wrap">${SPANS.map(([span, length], index) => html`<button key=${span} type="button"
        class="button small" ref=${index === 0 ? focusOnce : undefined} onClick=${() => apply(new Date(Math.floor((Date.now() - length) / 60_000) * 60_000).toISOString(), '')}>${t(`chips.last_${span}`)}</button>`)}</div>
        <${Field} label=${t('chips.from')} type="datetime-local" value=${from} onInput=${setFrom} />
        <${Field} label=${t('chips.to')} type="datetime-local" value=${to} onInput=${setTo} />
        <button class="button primary small">${t('chips.apply')}</button></form>`;
}
