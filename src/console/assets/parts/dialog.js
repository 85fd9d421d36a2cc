// Dialogs: the browser's own element holds the focus, and gives it back.
import { html, useLayoutEffect, useRef, useState } from '../preact.js';
import { t } from '../words.js';
import { Field } from './field.js';
import { Icon } from './icon.js';
import { Failure } from './states.js';

let count = 0;

/**
 * @param {{ title: string, onClose: () => void, children?: any, wide?: boolean, drawer?: boolean }} props `drawer`: at the side, over the whole height
 */
export function Dialog({ title, onClose, children, wide, drawer }) {
    const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
    const [id] = useState(() => `dialog-${++count}`);
    useLayoutEffect(() => {
        const dialog = element.current;
        const before = /** @type {HTMLElement | null} */ (document.activeElement);
        dialog?.showModal();
        return () => {
            dialog?.close();
            before?.focus();
        };
    }, []);
    /** @param {Event} event */
    const cancel = (event) => {
        event.preventDefault();
        onClose();
    };
    return html`<dialog ref=${element} class=${`dialog ${wide ? 'wide' : ''} ${drawer ? 'drawer' : ''}`} aria-labelledby=${id} onCancel=${cancel}
        onClick=${(/** @type {any} */ event) => event.target === element.current && onClose()}><div class="dialog-body">
        <div class="dialog-head"><h2 id=${id}>${title}</h2><button class="button bare" aria-label=${t('common.close')} onClick=${onClose}><${Icon} name="close" /></button></div>
        ${children}</div></dialog>`;
}

/**
 * Asks before something that cannot be undone. With `typed` the button stays off until that text was typed.
 * @param {{ title: string, children?: any, action: string, danger?: boolean, typed?: string, typedLabel?: string,
 *   onConfirm: () => Promise<any>, onClose: () => void }} props `onConfirm` closes nothing: call `onClose`, or throw for an error in the dialog
 */
export function Confirm({ title, children, action, danger = true, typed, typedLabel, onConfirm, onClose }) {
    const [text, setText] = useState('');
    const [state, setState] = useState(/** @type {{ busy?: boolean, error?: any }} */ ({}));
    /** @param {Event} event */
    const confirm = async (event) => {
        event.preventDefault();
        if (typed !== undefined && text.trim() !== typed) return;
        setState({ busy: true });
        try {
            await onConfirm();
        } catch (error) {
            setState({ error });
        }
    };
    return html`<${Dialog} title=${title} onClose=${onClose}><form class="stack" onSubmit=${confirm}>${children}
        ${typed !== undefined && html`<${Field} label=${typedLabel ?? t('common.type_to_confirm', { text: typed })} value=${text} onInput=${setText} autocomplete="off" />`}
        ${state.error && html`<${Failure} error=${state.error} />`}
        <div class="row actions"><button type="button" class="button" onClick=${onClose}>${t('common.cancel')}</button>
        <button class=${`button ${danger ? 'danger' : 'primary'}`} disabled=${state.busy || (typed !== undefined && text.trim() !== typed)}>${action}</button></div></form></${Dialog}>`;
}
