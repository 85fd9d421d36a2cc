// The sign-in: one field for a key.
import { signIn } from '../api.js';
import { Field } from '../parts/field.js';
import { Mark } from '../parts/icon.js';
import { Failure } from '../parts/states.js';
import { html, useEffect, useState } from '../preact.js';
import { leaving } from '../store.js';
import { t } from '../words.js';

/**
 * The form with the key, also for asking again in place.
 * @param {{ action: string, onDone?: () => void }} props
 */
export function KeyForm({ action, onDone }) {
    const [key, setKey] = useState('');
    const [state, setState] = useState(/** @type {{ busy?: boolean, error?: any }} */ ({}));
    /** @param {Event} event */
    const submit = async (event) => {
        event.preventDefault();
        if (!key.trim()) return setState({ error: { status: 401 } });
        setState({ busy: true });
        try {
            await signIn({ key: key.trim() });
            onDone?.();
        } catch (error) {
            setState({ error });
        }
    };
    const wrong = state.error?.status === 401;
    return html`<form class="stack" onSubmit=${submit}>
        <input type="text" name="username" autocomplete="username" value="sojourn" readonly hidden />
        <${Field} label=${t('sign_in.key')} type="password" name="password" autocomplete="current-password" value=${key} onInput=${setKey} focused
            spellcheck="false" error=${wrong && t(key.trim() ? 'sign_in.wrong' : 'sign_in.missing')} hint=${t('sign_in.hint')} mono />
        ${state.error && !wrong && html`<${Failure} error=${state.error} />`}
        <button class="button primary wide" disabled=${state.busy}>${state.busy ? t('sign_in.busy') : action}</button></form>`;
}

/** @param {{ refused?: any, usedLink?: boolean }} props `refused`: what the server said to the first request, if it was not "signed in" */
export function SignIn({ refused, usedLink }) {
    const how = leaving.use();
    useEffect(() => {
        document.title = `${t('sign_in.title')} · ${t('common.product')}`;
    }, []);
    return html`<main class="door"><div class="door-card"><${Mark} size=${40} /><h1>${t('sign_in.title')}</h1><p class="muted">${t('sign_in.lead')}</p>
        ${how === 'over' && html`<p class="banner warn" role="status">${t('sign_in.over')}</p>`}
        ${!how && usedLink && refused?.status === 401 && html`<p class="banner warn" role="alert">${t('sign_in.link_used')}</p>`}
        ${!how && refused && refused.status !== 401 && html`<${Failure} error=${refused} />`}
        <${KeyForm} action=${t('sign_in.action')} /></div></main>`;
}
