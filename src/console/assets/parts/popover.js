// A small panel below a button.
import { html, useLayoutEffect, useRef, useState } from '../preact.js';

const EDGE = 12;

/** A panel that would reach over an edge of the window is moved back. @param {Element | null | undefined} panel */
function keepInside(panel) {
    if (!(panel instanceof HTMLElement)) return;
    const { left, right } = panel.getBoundingClientRect();
    const edge = document.documentElement.clientWidth - EDGE;
    const over = right > edge ? edge - right : left < EDGE ? EDGE - left : 0;
    if (over) panel.style.translate = `${over}px 0`;
}

/**
 * @param {{ button: any, label?: string, class?: string, children: (close: () => void) => any, end?: boolean, disabled?: boolean }} props
 *   `button`: what is on the button; `end`: the panel is set to the button's end
 */
export function Popover({ button, label, children, end, disabled, class: look = 'button small' }) {
    const [open, setOpen] = useState(false);
    const element = useRef(/** @type {HTMLElement | null} */ (null));
    const close = () => {
        setOpen(false);
        element.current?.querySelector('button')?.focus();
    };
    useLayoutEffect(() => {
        if (!open) return;
        /** @type {HTMLElement | null | undefined} */
        const first = element.current?.querySelector('.popover input, .popover select, .popover button, .popover a');
        first?.focus();
        keepInside(element.current?.querySelector('.popover'));
        const away = (/** @type {Event} */ event) => event.target instanceof Node && !element.current?.contains(event.target) && setOpen(false);
        const escape = (/** @type {KeyboardEvent} */ event) => {
            if (event.key !== 'Escape') return;
            event.stopPropagation();
            close();
        };
        document.addEventListener('pointerdown', away);
        element.current?.addEventListener('keydown', escape);
        const held = element.current;
        return () => {
            document.removeEventListener('pointerdown', away);
            held?.removeEventListener('keydown', escape);
        };
    }, [open]);
    return html`<span class="popover-wrap" ref=${element}><button type="button" class=${look} disabled=${disabled} aria-label=${label} aria-expanded=${open ? 'true' : 'false'}
        onClick=${() => (open ? close() : setOpen(true))}>${button}</button>${open && html`<div class=${`popover ${end ? 'at-end' : ''}`}>${children(close)}</div>`}</span>`;
}
