// Fields of forms with their labels, hints and errors.
import { html, useState } from '../preact.js';

let count = 0;

/** A `ref` that takes the focus when its element appears, which is in the page only after the drawing. @param {HTMLElement | null} element */
export function focusOnce(element) {
    if (!element || element.dataset.focused) return;
    element.dataset.focused = 'true';
    queueMicrotask(() => element.focus());
}

/**
 * A labelled field. `onInput` gets the text. Anything else goes to the input: `type`, `name`, `autocomplete`, `required`, `rows`, …
 * With `choices` it is a select of `[value, label]`; with `rows` a text area.
 * @param {{ label: string, value: string, onInput: (text: string) => void, hint?: any, error?: string, choices?: [string, string][], mono?: boolean, focused?: boolean, [attribute: string]: any }} props
 */
export function Field({ label, value, onInput, hint, error, choices, mono, focused, hideLabel, ...rest }) {
    const [id] = useState(() => `field-${++count}`);
    const told = [error && `${id}-error`, hint && `${id}-hint`].filter(Boolean).join(' ') || undefined;
    const common = { id, ref: focused ? focusOnce : undefined, class: `input ${mono ? 'mono' : ''}`, 'aria-describedby': told, 'aria-invalid': error ? 'true' : undefined,
        onInput: (/** @type {any} */ event) => onInput(event.target.value), ...rest };
    const input = choices ? html`<select ...${common}>${choices.map(([each, name]) => html`<option key=${each} value=${each} selected=${each === value}>${name}</option>`)}</select>`
        : rest.rows ? html`<textarea ...${common} value=${value}></textarea>` : html`<input ...${common} value=${value} />`;
    return html`<div class="field"><label for=${id} class=${hideLabel ? 'hidden' : ''}>${label}</label>${input}
        ${error && html`<p id=${`${id}-error`} class="field-error">${error}</p>`}${hint && html`<p id=${`${id}-hint`} class="muted small">${hint}</p>`}</div>`;
}

/**
 * @param {{ label: any, checked: boolean, onChange: (checked: boolean) => void, hint?: any, disabled?: boolean }} props
 */
export const Check = ({ label, checked, onChange, hint, disabled }) => html`<label class="check"><input type="checkbox" checked=${checked} disabled=${disabled}
    onChange=${(/** @type {any} */ event) => onChange(event.target.checked)} /><span>${label}${hint && html`<span class="muted small block">${hint}</span>`}</span></label>`;

/**
 * A few choices side by side, one of which holds.
 * @param {{ label: string, value: string, choices: [string, string][], onChange: (value: string) => void }} props
 */
export function Segments({ label, value, choices, onChange }) {
    const [name] = useState(() => `choice-${++count}`);
    return html`<fieldset class="segments"><legend class="hidden">${label}</legend>${choices.map(([each, text]) => html`<label key=${each}>
        <input type="radio" name=${name} checked=${each === value} onChange=${() => onChange(each)} /><span>${text}</span></label>`)}</fieldset>`;
}
