// Times as people read them: in words near now, exact in the title, local or all in UTC.
import { now } from './api.js';
import { html } from './preact.js';
import { store, utc } from './store.js';
import { locale, t } from './words.js';

/** Changes when times are to be written anew: twice a minute, and with the UTC switch. One timer is enough for all. */
const reading = store(0);
const anew = () => reading.set(reading.get() + 1);
utc.watch(anew);
setInterval(() => !document.hidden && anew(), 30_000);

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/**
 * @param {Date} date
 * @param {Intl.DateTimeFormatOptions} options
 * @param {boolean} [inUtc]
 */
export function formatted(date, options, inUtc = utc.get() === 'on') {
    const wanted = { ...options, ...(inUtc ? { timeZone: 'UTC' } : {}) };
    const key = JSON.stringify(wanted);
    let format = formats.get(key);
    if (!format) formats.set(key, (format = new Intl.DateTimeFormat(locale, wanted)));
    return format.format(date);
}

/** @type {Intl.DateTimeFormatOptions} */
const EXACT = { year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' };
/** @type {Intl.DateTimeFormatOptions} */
const DAY = { month: 'short', day: 'numeric' };
/** @type {Intl.DateTimeFormatOptions} */
const SHORT = { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' };

/** @param {string | number} at */
export const exact = (at) => formatted(new Date(at), EXACT) + (utc.get() === 'on' ? ' UTC' : '');
/** @param {string | number} at */
export const utcText = (at) => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [['day', 86400], ['hour', 3600], ['minute', 60]];

/**
 * "3 minutes ago", "in 2 days".
 * @param {string | number} at
 */
export function relative(at) {
    const seconds = (new Date(at).getTime() - now()) / 1000;
    const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
    if (unit === 'second' && Math.abs(seconds) < 10) return t('common.now');
    return new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' }).format(Math.round(seconds / length), unit);
}

/**
 * "2 h 30 min" of a number of seconds, in its two largest units.
 * @param {number} seconds
 */
export function duration(seconds) {
    /** @type {[string, number][]} */
    const units = [...UNITS, ['second', 1]];
    const first = Math.max(0, units.findIndex(([, size]) => seconds >= size));
    let rest = Math.max(0, Math.round(seconds));
    return units.slice(first, first + 2).map(([unit, size]) => {
        const count = Math.floor(rest / size);
        rest -= count * size;
        return count || (unit === 'second' && first === 3) ? new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'short' }).format(count) : '';
    }).filter(Boolean).join(' ');
}

/**
 * A moment. With `relative` it is told in words within a week, and by its day alone when it is further away.
 * @param {{ at: string | null | undefined, relative?: boolean }} props
 */
export function Time({ at, relative: inWords }) {
    reading.use();
    if (!at) return html`<span class="faint">–</span>`;
    const near = inWords && Math.abs(new Date(at).getTime() - now()) < 7 * 86_400_000;
    const sameYear = new Date(at).getFullYear() === new Date().getFullYear();
    const short = inWords ? DAY : SHORT;
    const text = near ? relative(at) : formatted(new Date(at), sameYear ? short : { ...short, year: 'numeric' });
    return html`<time class="nowrap" datetime=${at} title=${inWords ? `${exact(at)} · ${utcText(at)}` : utcText(at)}>${text}</time>`;
}
