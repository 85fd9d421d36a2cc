// Dialogs that change a session.
import { patch, post } from '../api.js';
import { html, useState } from '../preact.js';
import { duration, exact } from '../time.js';
import { t } from '../words.js';
import { Dialog } from './dialog.js';
import { Field } from './field.js';
import { Failure } from './states.js';

/**
 * A form whose sending can fail.
 * @param {{ title: string, action: string, off?: boolean, onSend: () => Promise<any>, onClose: () => void, children?: any }} props
 */
function Change({ title, action, off, onSend, onClose, children }) {
    const [state, setState] = useState(/** @type {{ busy?: boolean, error?: any }} */ ({}));
    /** @param {Event} event */
    const submit = async (event) => {
        event.preventDefault();
        setState({ busy: true });
        try {
            await onSend();
        } catch (error) {
            setState({ error });
        }
    };
    return html`<${Dialog} title=${title} onClose=${onClose}><form class="stack" onSubmit=${submit}>${children}${state.error && html`<${Failure} error=${state.error} />`}
        <div class="row actions"><button type="button" class="button" onClick=${onClose}>${t(off ? 'common.close' : 'common.cancel')}</button>
            ${!off && html`<button class="button primary" disabled=${state.busy}>${action}</button>`}</div></form></${Dialog}>`;
}

const HOUR = 3600;
const STEPS = [HOUR, 8 * HOUR, 24 * HOUR, 7 * 24 * HOUR, 30 * 24 * HOUR];

/** @param {{ session: any, onDone: (said: string) => void, onClose: () => void }} props */
export function Extend({ session, onDone, onClose }) {
    const ends = Date.parse(session.expires_at);
    const room = Math.floor((Date.parse(session.absolute_expires_at) - ends) / 1000);
    const steps = STEPS.filter((each) => each < room);
    const [seconds, setSeconds] = useState(steps[0] ?? room);
    const send = async () => {
        const changed = await post(`/v1/sessions/${encodeURIComponent(session.id)}/extend`, { extend_by: seconds });
        onDone(t('session.extend_done', { time: exact(changed.expires_at) }));
    };
    /** @type {[string, string][]} */
    const choices = [...steps.map((each) => /** @type {[string, string]} */ ([String(each), duration(each)])), [String(room), t('session.to_absolute')]];
    return html`<${Change} title=${t('session.extend_title')} action=${t('session.extend')} off=${room < 1} onSend=${send} onClose=${onClose}>${room < 1
        ? html`<p>${t('session.no_room', { time: exact(session.absolute_expires_at) })}</p>`
        : html`<${Field} label=${t('session.extend_by')} value=${String(seconds)} choices=${choices} onInput=${(/** @type {string} */ text) => setSeconds(Number(text))}
            hint=${t('session.ends_then', { time: exact(ends + seconds * 1000) })} />`}</${Change}>`;
}

/** @param {{ session: any, onDone: (said: string) => void, onClose: () => void }} props */
export function Rename({ session, onDone, onClose }) {
    const [name, setName] = useState(session.device.name ?? '');
    const send = async () => {
        await patch(`/v1/sessions/${encodeURIComponent(session.id)}`, { device_name: name.trim() || null });
        onDone(t(name.trim() ? 'session.rename_done' : 'session.unname_done', { name: name.trim() }));
    };
    return html`<${Change} title=${t('session.rename_title')} action=${t('session.rename')} onSend=${send} onClose=${onClose}>
        <${Field} label=${t('session.name')} value=${name} onInput=${setName} maxlength="255" autocomplete="off" focused hint=${t('session.name_hint')} /></${Change}>`;
}
