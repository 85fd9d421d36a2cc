// The frame of a screen: its heading, its actions, its cards.
import { html, useEffect, useRef } from '../preact.js';
import { t } from '../words.js';

let moved = false;

/** After a move to another screen its heading takes the focus, as soon as it is drawn. */
export const expectHeading = () => void (moved = true);

/**
 * A screen. Its heading gets the focus after a move, and its title goes into the window's.
 * @param {{ title: string, lead?: any, actions?: any, crumbs?: any, children?: any }} props
 */
export function Page({ title, lead, actions, crumbs, children }) {
    useEffect(() => {
        document.title = `${title} · ${t('common.product')}`;
    }, [title]);
    const heading = useRef(/** @type {HTMLElement | null} */ (null));
    useEffect(() => {
        // A field of the new screen that took the focus keeps it.
        if (moved && !document.activeElement?.closest('.page, dialog')) heading.current?.focus({ preventScroll: true });
        moved = false;
    }, []);
    return html`<div class="page"><header class="page-head">
        <div class="page-words">${crumbs && html`<nav class="crumbs" aria-label=${t('common.crumbs')}>${crumbs}</nav>`}
        <h1 tabindex="-1" ref=${heading}>${title}</h1>${lead && html`<p class="muted">${lead}</p>`}</div>
        ${actions && html`<div class="row page-actions">${actions}</div>`}</header>${children}</div>`;
}

/**
 * A part of a screen with its own heading.
 * @param {{ title?: any, actions?: any, children?: any, class?: string, flush?: boolean }} props `flush`: no padding, for tables
 */
export const Card = ({ title, actions, children, flush, class: more = '' }) => html`<section class=${`card ${flush ? 'flush' : ''} ${more}`}>
    ${(title || actions) && html`<div class="card-head"><h2>${title}</h2>${actions && html`<div class="row">${actions}</div>`}</div>`}${children}</section>`;

/**
 * Names with their values, as a list of definitions.
 * @param {{ items: ([string, any] | false | null | undefined)[] }} props a value that is missing or empty shows a dash
 */
export const Facts = ({ items }) => html`<dl class="facts">${items.map((item) => item && html`<div key=${item[0]}><dt>${item[0]}</dt>
    <dd>${item[1] || html`<span class="faint">–</span>`}</dd></div>`)}</dl>`;

/**
 * A word with a mark before it: the state is told by both, never by colour alone.
 * @param {{ kind?: 'good' | 'quiet' | 'bad' | 'warn', children?: any }} props
 */
export const Badge = ({ kind = 'quiet', children }) => html`<span class=${`badge ${kind}`}><i class="mark" aria-hidden="true"></i>${children}</span>`;

/**
 * A sentence above everything that needs attention.
 * @param {{ kind?: 'info' | 'warn' | 'bad', children?: any }} props
 */
export const Banner = ({ kind = 'info', children }) => html`<div class=${`banner ${kind}`} role=${kind === 'info' ? 'note' : 'alert'}>${children}</div>`;
