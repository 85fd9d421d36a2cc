// Addresses below /admin, and the screen that each of them shows.
import { store } from './store.js';

/** `/admin` with whatever prefix a proxy puts before it: this file is at `<base>/assets/<hash>/router.js`. */
export const base = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');

/** @typedef {{ path: string, query: URLSearchParams }} Place */

/** @returns {Place} */
const here = () => ({
    path: location.pathname.slice(base.length).replace(/\/+$/, '') || '/',
    query: new URLSearchParams(location.search),
});

/** The place of the browser. `place.use()` draws the component anew after each move. */
export const place = store(here());

/**
 * The address of a screen. Values that are null, undefined or empty are left out; a list is repeated.
 * @param {string} path such as `/sessions`; segments from data go through `encodeURIComponent`
 * @param {Record<string, any> | URLSearchParams} [query]
 */
export function link(path, query) {
    const text = search(query).toString();
    return base + (path === '/' ? '' : path) + (text && `?${text}`);
}

/** @param {Record<string, any> | URLSearchParams} [query] */
export function search(query) {
    if (query instanceof URLSearchParams) return query;
    const pairs = Object.entries(query ?? {}).flatMap(([name, value]) => [value].flat().map((each) => [name, each]));
    return new URLSearchParams(pairs.filter(([, value]) => value !== null && value !== undefined && value !== '').map(([n, v]) => [n, String(v)]));
}

/**
 * Goes to an address that `link` made.
 * @param {string} address
 * @param {{ replace?: boolean, state?: any }} [options] `state` is kept with the entry of the history
 */
export function go(address, { replace = false, state = null } = {}) {
    const before = place.get().path;
    history[replace ? 'replaceState' : 'pushState'](state, '', address);
    place.set(here());
    if (place.get().path !== before) scrollTo(0, 0);
}

/** Sees to it that a click on a link of ours loads no page. */
export function watchLinks() {
    addEventListener('popstate', () => place.set(here()));
    document.addEventListener('click', (event) => {
        const anchor = event.target instanceof Element ? event.target.closest('a') : null;
        if (!anchor || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        if (anchor.target || anchor.download || anchor.origin !== location.origin) return;
        if (anchor.hash || !(anchor.pathname === base || anchor.pathname.startsWith(`${base}/`))) return;
        event.preventDefault();
        go(anchor.pathname + anchor.search);
    });
}

/**
 * The values of a pattern's `:names` in a path, or null when it does not fit.
 * @param {string} pattern such as `/sessions/:id`
 * @param {string} path
 */
export function matched(pattern, path) {
    const names = pattern.split('/');
    const values = path.split('/');
    if (names.length !== values.length) return null;
    /** @type {Record<string, string>} */
    const found = {};
    for (const [index, name] of names.entries()) {
        if (name.startsWith(':')) {
            try {
                found[name.slice(1)] = decodeURIComponent(values[index]);
            } catch {
                return null;
            }
        } else if (name !== values[index]) return null;
    }
    return found;
}
