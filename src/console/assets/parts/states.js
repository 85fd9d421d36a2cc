// The states of a screen without data: loading, empty, or a refusal.
import { html, useCallback, useEffect, useRef, useState } from '../preact.js';
import { t } from '../words.js';
import { Icon } from './icon.js';

/** Nothing is said about loading before this many milliseconds. */
const PATIENCE = 300;

/**
 * Loads data when `keys` change, and again by `reload`. While it loads anew, the former data stays.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} load
 * @param {any[]} keys
 * @returns {{ data: T | undefined, error: any, loading: boolean, reload: () => void, change: (data: T) => void }}
 */
export function useLoad(load, keys) {
    const [state, setState] = useState(/** @type {{ data?: T, error?: any, loading: boolean }} */ ({ loading: true }));
    const [round, setRound] = useState(0);
    const latest = useRef(load);
    latest.current = load;
    useEffect(() => {
        const stop = new AbortController();
        setState((before) => ({ ...before, loading: true }));
        latest.current(stop.signal).then(
            (data) => !stop.signal.aborted && setState({ data, loading: false }),
            (error) => !stop.signal.aborted && setState((before) => ({ ...before, error, loading: false })),
        );
        return () => stop.abort();
    }, [...keys, round]);
    const reload = useCallback(() => setRound((count) => count + 1), []);
    const change = useCallback((/** @type {T} */ data) => setState({ data, loading: false }), []);
    return { data: state.data, error: state.error, loading: state.loading, reload, change };
}

/** Bars where content will be. @param {{ rows?: number }} props */
export function Loading({ rows = 6 }) {
    const [late, setLate] = useState(false);
    useEffect(() => {
        const timer = setTimeout(() => setLate(true), PATIENCE);
        return () => clearTimeout(timer);
    }, []);
    if (!late) return html`<div class="loading" aria-busy="true"></div>`;
    return html`<div class="loading" aria-busy="true" role="status"><span class="hidden">${t('common.loading')}</span>
        ${Array.from({ length: rows }, (_, index) => html`<div class="bone" key=${index}></div>`)}</div>`;
}

/**
 * An empty state: the things that would be here, and the way to get them.
 * @param {{ icon?: string, title: string, text?: string, children?: any }} props
 */
export const Empty = ({ icon = 'search', title, text, children }) => html`<div class="empty">
    <span class="empty-mark"><${Icon} name=${icon} /></span><p class="empty-title">${title}</p>
    ${text && html`<p class="muted">${text}</p>`}${children && html`<div class="row centred">${children}</div>`}</div>`;

/**
 * A refusal in its own words, with the request id.
 * @param {{ error: any, onRetry?: () => void }} props
 */
export function Failure({ error, onRetry }) {
    if (error?.status === 401) return null;
    return html`<div class="failure" role="alert"><${Icon} name="warning" /><div>
        <p class="failure-title">${t(error?.status ? 'common.failed' : 'common.unanswered')}</p>
        <p>${error?.message || t('common.unreachable')}</p>
        ${error?.errors?.filter((/** @type {any} */ each) => !error.message.includes(each.message)).map((/** @type {any} */ each) => html`<p key=${each.field}><code>${each.field}</code> ${each.message}</p>`)}
        ${error?.requestId && html`<p class="faint small">${t('common.request_id')} <code>${error.requestId}</code></p>`}
        ${onRetry && html`<p><button class="button small" onClick=${onRetry}>${t('common.retry')}</button></p>`}</div></div>`;
}

/**
 * The usual three states around data of `useLoad`.
 * @param {{ of: ReturnType<typeof useLoad>, children: (data: any) => any, rows?: number }} props
 */
export function Loaded({ of, children, rows }) {
    if (of.data !== undefined) return html`${of.error && html`<${Failure} error=${of.error} onRetry=${of.reload} />`}${children(of.data)}`;
    return of.error && !of.loading ? html`<${Failure} error=${of.error} onRetry=${of.reload} />` : html`<${Loading} rows=${rows} />`;
}
