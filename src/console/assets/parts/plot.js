// Bars and lines over hours or days, drawn as SVG, with their numbers in a table beside.
import { html, useLayoutEffect, useRef, useState } from '../preact.js';
import { formatted } from '../time.js';
import { utc } from '../store.js';
import { number, t } from '../words.js';

/** @typedef {{ id: string, label: string, href?: string, alarming?: boolean }} Series at most six; the last of more is the rest */
/** @param {Series} series @param {number} index */
const look = ({ alarming }, index) => (alarming ? 's-alarming' : `s${index + 1}`);

/** @typedef {{ at: string, values: number[], href?: string }} Point values in the order of the series */

const HEIGHT = 168;
const TOP = 8;
const BOTTOM = 20;

/** The smallest round number that is not under `most`, and the step to it. @param {number} most */
function scaleOf(most) {
    const rough = Math.max(most, 1) / 3;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = Math.max(1, ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10) * power);
    return { step, top: Math.ceil(Math.max(most, 1) / step) * step };
}

/** @param {string} at @param {'hour' | 'day'} by @param {boolean} [long] */
export function pointName(at, by, long) {
    const date = new Date(at);
    if (by === 'day') return formatted(date, long ? { weekday: 'short', month: 'short', day: 'numeric' } : { month: 'short', day: 'numeric' }, true);
    return formatted(date, long ? { weekday: 'short', hour: '2-digit', minute: '2-digit' } : { hour: '2-digit', minute: '2-digit' });
}

/** The width of an element, as it changes. @returns {[{ current: any }, number]} */
function useWidth() {
    const element = useRef(/** @type {HTMLElement | null} */ (null));
    const [width, setWidth] = useState(0);
    useLayoutEffect(() => {
        const seen = new ResizeObserver(([entry]) => setWidth(Math.round(entry.contentRect.width)));
        if (element.current) seen.observe(element.current);
        return () => seen.disconnect();
    }, []);
    return [element, width];
}

/**
 * @param {{ title: string, by: 'hour' | 'day', kind?: 'bars' | 'line', series: Series[], points: Point[] }} props
 */
export function Plot({ title, by, kind = 'bars', series, points }) {
    utc.use();
    const [element, width] = useWidth();
    const [at, setAt] = useState(-1);
    const sums = points.map(({ values }) => (kind === 'line' ? Math.max(...values, 0) : values.reduce((sum, each) => sum + each, 0)));
    const { step, top } = scaleOf(Math.max(0, ...sums));
    const margin = 8 + 7 * number(top).length;
    const inner = Math.max(0, width - margin);
    /** @param {number} value */
    const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
    const band = inner / Math.max(1, points.length);
    const every = Math.ceil(points.length / Math.max(1, Math.floor(inner / 72)));
    const lines = Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step);
    const shown = points[at];
    return html`<figure class="plot"><p class="faint small">${shown ? pointName(shown.at, by, true) : t(kind === 'line' ? 'plot.latest' : 'plot.whole')}</p>
        <div class="plot-area" ref=${element} onPointerLeave=${() => setAt(-1)}>${width > 0 && html`<svg width=${width} height=${HEIGHT} aria-hidden="true">
            ${lines.map((value) => html`<g key=${value}><line class="plot-grid" x1=${margin} x2=${width} y1=${y(value)} y2=${y(value)} /><text class="plot-text" x=${margin - 8} y=${y(value) + 4} text-anchor="end">${number(value)}</text></g>`)}
            ${points.map((point, index) => index % every === 0 && html`<text key=${point.at} class="plot-text" x=${index ? margin + band * (index + 0.5) : margin - 8} y=${HEIGHT - 3} text-anchor=${index ? 'middle' : 'start'}>${pointName(point.at, by)}</text>`)}
            ${shown && html`<rect class="plot-band" x=${margin + band * at} y=${TOP} width=${band} height=${HEIGHT - TOP - BOTTOM} />`}
            ${kind === 'bars' ? points.map((point, index) => html`<${Bar} key=${point.at} values=${point.values} series=${series} x=${margin + band * index} band=${band} y=${y} />`)
                : series.map((each, index) => html`<polyline key=${each.id} class=${`plot-line ${look(each, index)}`} points=${points.map((point, place) => `${margin + band * (place + 0.5)},${y(point.values[index])}`).join(' ')} />`)}</svg>
        ${!sums.some(Boolean) && html`<p class="plot-empty faint">${t('plot.empty')}</p>`}<${Columns} title=${title} points=${points} series=${series} by=${by} onAt=${setAt} margin=${margin} />`}</div>
        <${Legend} series=${series} points=${points} kind=${kind} shown=${shown} />
        <details class="plot-table"><summary class="faint small">${t('plot.table')}</summary><${Numbers} title=${title} points=${points} series=${series} by=${by} /></details></figure>`;
}

/** Rectangles on each other, with a gap so that they are told apart without colour. @param {{ values: number[], series: Series[], x: number, band: number, y: (value: number) => number }} props */
function Bar({ values, series, x, band, y }) {
    const gap = band > 6 ? Math.min(6, band * 0.25) : 1;
    let below = 0;
    return values.map((value, index) => {
        const bottom = y(below);
        const head = y((below += value));
        const height = Math.max(0, bottom - head - (below > value ? 1 : 0));
        return value > 0 && html`<rect key=${index} class=${`plot-bar ${look(series[index], index)}`} x=${x + gap / 2} width=${Math.max(1, band - gap)} y=${head} height=${Math.max(height, 0.5)} rx=${band > 8 ? 1.5 : 0} />`;
    });
}

/** Names of the series with their sums, or with the numbers of the point that is looked at. @param {any} props */
function Legend({ series, points, kind, shown }) {
    /** @param {number} index */
    const value = (index) => (shown ? shown.values[index] : kind === 'line' ? (points.at(-1)?.values[index] ?? 0) : points.reduce((/** @type {number} */ sum, /** @type {Point} */ each) => sum + each.values[index], 0));
    return html`<figcaption class="legend">${series.map((/** @type {Series} */ each, /** @type {number} */ index) => html`<span key=${each.id} class="legend-item"><i class=${`legend-mark ${look(each, index)}`} aria-hidden="true"></i>
            ${each.href ? html`<a href=${each.href}><bdi>${each.label}</bdi></a>` : html`<bdi>${each.label}</bdi>`} <span class="number strong">${number(value(index))}</span></span>`)}</figcaption>`;
}

/** A link or a place for each point: one of them is in the order of the Tab key, the arrow keys go to the others. @param {any} props */
function Columns({ title, points, series, by, onAt, margin }) {
    const [held, setHeld] = useState(points.length - 1);
    /** @param {KeyboardEvent} event */
    const move = (event) => {
        const by = { ArrowRight: 1, ArrowLeft: -1, Home: -points.length, End: points.length }[event.key];
        if (!by) return;
        event.preventDefault();
        const next = Math.min(points.length - 1, Math.max(0, held + by));
        setHeld(next);
        /** @type {HTMLElement} */ (/** @type {HTMLElement} */ (event.currentTarget).children[next]).focus();
    };
    return html`<div class="plot-columns" style=${{ insetInlineStart: `${margin}px` }} role="group" aria-label=${t('plot.keys', { title })} onKeyDown=${move}>${points.map((/** @type {Point} */ point, /** @type {number} */ index) => {
        const words = `${pointName(point.at, by, true)}: ${series.map((/** @type {Series} */ each, /** @type {number} */ place) => `${each.label} ${number(point.values[place])}`).join(', ')}`;
        const common = { key: point.at, 'aria-label': words, tabindex: index === Math.min(held, points.length - 1) ? 0 : -1, onPointerEnter: () => onAt(index), onFocus: () => (onAt(index), setHeld(index)), onBlur: () => onAt(-1) };
        return point.href ? html`<a href=${point.href} ...${common}></a>` : html`<span role="img" ...${common}></span>`;
    })}</div>`;
}

/** @param {any} props */
const Numbers = ({ title, points, series, by }) => html`<div class="table-wrap" tabindex="0" role="region" aria-label=${title}><table class="numbers"><caption class="hidden">${title}</caption>
    <thead><tr><th scope="col">${t(`plot.${by}`)}</th>${series.map((/** @type {Series} */ each) => html`<th key=${each.id} scope="col" class="end"><bdi>${each.label}</bdi></th>`)}</tr></thead>
    <tbody>${points.map((/** @type {Point} */ point) => html`<tr key=${point.at}><th scope="row">${point.href ? html`<a href=${point.href}>${pointName(point.at, by, true)}</a>` : pointName(point.at, by, true)}</th>
        ${point.values.map((value, index) => html`<td key=${index} class="end">${number(value)}</td>`)}</tr>`)}</tbody></table></div>`;
