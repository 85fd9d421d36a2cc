// Values that several parts of the page watch.
import { useEffect, useState } from './preact.js';

/**
 * A value with watchers. `use` is a hook that draws its component anew when the value changes.
 * @template T
 * @param {T} value
 */
export function store(value) {
    /** @type {Set<(value: T) => void>} */
    const watchers = new Set();
    const self = {
        get: () => value,
        /** @param {T} next */
        set(next) {
            value = next;
            for (const watcher of [...watchers]) watcher(next);
        },
        /** @param {(value: T) => void} watcher */
        watch(watcher) {
            watchers.add(watcher);
            return () => void watchers.delete(watcher);
        },
        /** @returns {T} */
        use() {
            const [, draw] = useState({});
            useEffect(() => self.watch(() => draw({})), []);
            return value;
        },
    };
    return self;
}

/** The signed-in staff member as `/admin/me` tells; null is "not signed in", undefined "not known yet". */
export const me = store(/** @type {import('./api.js').Me | null | undefined} */ (undefined));

/** How the last sign-in came to its end: by the button, or without the person's doing. */
export const leaving = store(/** @type {'' | 'left' | 'over'} */ (''));

/** Whether changing buttons are shown. The server decides each time; a hidden button is a courtesy. */
export const isAdmin = () => me.get()?.role === 'admin';

/** The choices that are kept in the browser: a theme, the UTC switch and the chosen columns. */
const PREFIX = 'sojourn.';

/**
 * @param {string} name
 * @param {string} fallback
 */
function preference(name, fallback) {
    let kept = null;
    try {
        kept = localStorage.getItem(PREFIX + name);
    } catch {
        // A browser that refuses storage gets the fallback each time.
    }
    const self = store(kept ?? fallback);
    self.watch((value) => {
        try {
            localStorage.setItem(PREFIX + name, value);
        } catch {
            // The choice then lasts as long as the page.
        }
    });
    return self;
}

/** `auto`, `light` or `dark`. */
export const theme = preference('theme', 'auto');
/** `on`: every time is shown in UTC. */
export const utc = preference('utc', 'off');
/** The columns of the search for sessions, separated by commas; empty for the usual ones. */
export const columns = preference('columns', '');

/** @param {string} value */
function wear(value) {
    if (value === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = value;
}
wear(theme.get());
theme.watch(wear);
