// Pages of a keyset, with their place in the address.
import { go, link, place } from '../router.js';

/**
 * Ways to the next page and back. The cursors of earlier pages are kept with the entry of the history; a page that was opened by
 * its address alone goes back to the first.
 * @param {string} path of the screen
 * @param {URLSearchParams} query
 * @param {string | null | undefined} next the cursor of the next page
 */
export function usePages(path, query, next) {
    place.use();
    /** @type {string[]} */
    const earlier = history.state?.earlier ?? [];
    const cursor = query.get('cursor') ?? '';
    /** @param {string} to @param {string[]} kept */
    const turn = (to, kept) => {
        const moved = new URLSearchParams(query);
        to ? moved.set('cursor', to) : moved.delete('cursor');
        go(link(path, moved), { state: { earlier: kept } });
        scrollTo(0, 0);
    };
    return {
        next: next ? () => turn(next, [...earlier, cursor]) : null,
        back: cursor ? () => turn(earlier.at(-1) ?? '', earlier.slice(0, -1)) : null,
    };
}
