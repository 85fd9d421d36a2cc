// Small drawings beside words; alone they always have a label on their button.
import { html } from '../preact.js';

/** Lines on a field of 16 by 16. @type {Record<string, string>} */
const PATHS = {
    overview: 'M2.5 9.5h4v4h-4zM9.5 6.5h4v7h-4zM2.5 2.5h4v4h-4zM9.5 2.5h4v1h-4z',
    sessions: 'M2.5 3.5h11v7h-11zM5.5 13.5h5M8 10.5v3',
    users: 'M8 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM3 13.5c.4-2.5 2.4-4 5-4s4.6 1.5 5 4',
    live: 'M1.5 8.5h3l2-5 3 9 2-4h3',
    end: 'M5 3.7a5.5 5.5 0 1 0 6 0M8 1.5v6',
    keys: 'M6 7.5a3 3 0 1 0-1.8 2.8M6 7.5h7.5v2.5M11 7.5v2',
    signing: 'M3 13.5h10M4 10.5l6.5-6.5 2 2-6.5 6.5H4z',
    applications: 'M2.5 2.5h4.5v4.5h-4.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5h-4.5zM9 9h4.5v4.5H9z',
    audit: 'M4 1.5h6l2.5 2.5v10.5H4zM6 6.5h4.5M6 9h4.5M6 11.5h3',
    settings: 'M2 4.5h7M12.5 4.5H14M2 11.5h1.5M7 11.5h7M10.75 6.25a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5zM5.25 13.25a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5z',
    close: 'M4 4l8 8M12 4l-8 8',
    plus: 'M8 3v10M3 8h10',
    search: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5l3 3',
    copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
    check: 'M3 8.5l3.5 3.5L13 4.5',
    down: 'M4 6l4 4 4-4',
    up: 'M4 10l4-4 4 4',
    next: 'M6 4l4 4-4 4',
    back: 'M10 4L6 8l4 4',
    menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
    warning: 'M8 2l6.5 11.5h-13zM8 6.5v3M8 11.6v.2',
    info: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 7.5v3.5M8 5v.2',
    download: 'M8 2.5v7.5M4.5 7L8 10.5 11.5 7M3 13.5h10',
    filter: 'M2.5 4h11M4.5 8h7M6.5 12h3',
    columns: 'M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10',
    pause: 'M5.5 3.5v9M10.5 3.5v9',
    play: 'M5 3l8 5-8 5z',
    sun: 'M8 10.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1',
    moon: 'M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z',
    clock: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 4.5V8l2.5 1.5',
    out: 'M6.5 2.5h-4v11h4M6.5 8h7M10.5 5l3 3-3 3',
    edit: 'M3 13l.5-2.5 7-7 2 2-7 7z',
    more: 'M3.5 8h.1M8 8h.1M12.5 8h.1',
    desktop: 'M2 3h12v8H2zM6 13.5h4',
    mobile: 'M5 1.5h6v13H5zM7.5 12.5h1',
    tablet: 'M3.5 1.5h9v13h-9zM7.5 12.5h1',
    tv: 'M2 4.5h12v8H2zM5.5 2L8 4.5 10.5 2',
    console: 'M5 5h6a3.5 3.5 0 0 1 0 7L10 10.5H6L5 12a3.5 3.5 0 0 1 0-7zM5.5 7v2.5M4.3 8.2h2.4',
    headset: 'M2.5 6h11v5.5h-3.5L8 9.5 6 11.5H2.5z',
    app: 'M4.5 5L1.5 8l3 3M11.5 5l3 3-3 3M9.2 3.5L6.8 12.5',
    bot: 'M3.5 5.5h9v7h-9zM8 5.5v-3M6.2 8.5v1M9.8 8.5v1',
    unknown: 'M6 6a2 2 0 1 1 2.7 1.9c-.5.2-.7.6-.7 1.3M8 11.8v.1M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13z',
    ban: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM3.8 3.8l8.4 8.4',
};

/** @param {{ name: string }} props */
export const Icon = ({ name }) => html`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
    <path d=${PATHS[name] ?? PATHS.unknown} /></svg>`;

/** The mark of the product. @param {{ size: number }} props */
export const Mark = ({ size }) => html`<svg class="brand-mark" viewBox="0 0 32 32" width=${size} height=${size} aria-hidden="true"><rect width="32" height="32" rx="8" />
    <path d="M21.2 11.6c-.9-1.6-2.8-2.6-5.2-2.6-3 0-5.1 1.5-5.1 3.7 0 5 10.4 2.1 10.4 7 0 2.2-2.2 3.7-5.2 3.7-2.7 0-4.8-1.1-5.7-2.8" /></svg>`;
