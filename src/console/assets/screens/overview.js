// The overview: numbers of a day, plots, the server's own state, and the latest endings.
import { get } from '../api.js';
import { Announcement, Endings, StreamMark, useEndings } from '../parts/endings.js';
import { Segments } from '../parts/field.js';
import { Icon } from '../parts/icon.js';
import { Banner, Card, Facts, Page } from '../parts/page.js';
import { Plot } from '../parts/plot.js';
import { Empty, Failure, Loaded, Loading, useLoad } from '../parts/states.js';
import { days, endedOf, endings, grouped, twoDays } from '../parts/statistics.js';
import { html, useEffect } from '../preact.js';
import { go, link } from '../router.js';
import { duration, Time } from '../time.js';
import { locale, number, t } from '../words.js';

const REFRESH = 30_000;
const LATEST = 12;

/** @param {{ query: URLSearchParams }} props */
export default function Overview({ query }) {
    const by = query.get('by') === 'day' ? 'day' : 'hour';
    const group = query.get('group') === 'device_type' ? 'device_type' : 'client_id';
    const hours = useLoad((signal) => statistics('hour', group, signal), [group]);
    const months = useLoad((signal) => (by === 'day' ? statistics(by, group, signal) : Promise.resolve(null)), [by, group]);
    const status = useLoad((signal) => get('/v1/status', {}, signal), []);
    useRefresh(() => [hours, status, ...(by === 'day' ? [months] : [])].forEach(({ reload }) => reload()));
    /** @param {Record<string, string>} change */
    const choose = (change) => {
        const next = { by, group, ...change };
        go(link('/', { by: next.by === 'day' ? 'day' : '', group: next.group === 'device_type' ? next.group : '' }), { replace: true });
    };
    const actions = html`<${Segments} label=${t('overview.range')} value=${by} onChange=${(/** @type {string} */ value) => choose({ by: value })} choices=${[['hour', t('overview.hours')], ['day', t('overview.days')]]} />
        <${Segments} label=${t('overview.grouping')} value=${group} onChange=${(/** @type {string} */ value) => choose({ group: value })} choices=${[['client_id', t('overview.by_application')], ['device_type', t('overview.by_device')]]} />`;
    const lead = hours.data ? html`${t('overview.counted')} <${Time} at=${hours.data.as_of} relative />` : t('overview.lead');
    const plotted = by === 'day' ? months : hours;
    return html`<${Page} title=${t('overview.title')} lead=${lead} actions=${actions}><${Problems} status=${status} />
        <${Loaded} of=${hours} rows=${3}>${(/** @type {any} */ data) => html`<${Tiles} statistics=${data} />`}</${Loaded}>
        ${by === 'day' && months.error && html`<${Failure} error=${months.error} onRetry=${months.reload} />`}
        ${plotted.data ? html`<${Plots} statistics=${plotted.data} by=${by} />` : by === 'day' && !months.error && html`<${Loading} rows=${8} />`}
        <div class="halves"><${Latest} /><${Server} status=${status} /></div></${Page}>`;
}

/**
 * The numbers with the grouping that they have: the former ones are still drawn while others load.
 * @param {'hour' | 'day'} by
 * @param {'client_id' | 'device_type'} group
 * @param {AbortSignal} signal
 */
const statistics = async (by, group, signal) => ({ ...(await get('/v1/stats', { by, group_by: group, from: by === 'hour' ? twoDays() : '' }, signal)), group });

/** Numbers are asked for again while somebody looks. @param {() => void} refresh */
function useRefresh(refresh) {
    useEffect(() => {
        const timer = setInterval(() => !document.hidden && refresh(), REFRESH);
        return () => clearInterval(timer);
    });
}

/** @param {{ statistics: any }} props */
function Tiles({ statistics }) {
    const { series, open } = statistics;
    const since = series.at(-24)?.from ?? series[0]?.from;
    return html`<ul class="tiles"><${Tile} label=${t('overview.open')} value=${open} href=${link('/sessions', { state: 'active' })} note=${t('overview.open_note')} />
        <${Tile} label=${t('overview.opened_day')} ...${days(series, (point) => point.opened)} href=${link('/sessions', { created_from: since })} />
        <${Tile} label=${t('overview.ended_day')} ...${days(series, endedOf)} href=${link('/sessions', { state: 'ended' })} />
        <${Tile} label=${t('overview.expired_day')} ...${days(series, (point) => point.expired)} href=${link('/sessions', { state: 'expired' })} />
        <${Tile} label=${t('overview.reused_day')} ...${days(series, (point) => point.ended.reuse_detected ?? 0)} alarming href=${link('/sessions', { ended_reason: 'reuse_detected' })} /></ul>`;
}

/** @param {{ label: string, value?: number, last?: number, before?: number, href: string, note?: string, alarming?: boolean }} props */
function Tile({ label, value, last = 0, before = 0, href, note, alarming }) {
    const shown = value ?? last;
    const change = before ? new Intl.NumberFormat(locale, { style: 'percent', signDisplay: 'exceptZero', maximumFractionDigits: 0 }).format((last - before) / before) : '';
    const beside = note ?? (before ? html`<span title=${t('overview.day_before')}>${t('overview.before', { change, before })}</span>` : t('overview.none_before'));
    return html`<li class="tile"><a href=${href}><span class="muted">${label}</span><span class=${`tile-number ${alarming && shown ? 'alarming' : ''}`}>${alarming && shown > 0 && html`<${Icon} name="warning" />`}${number(shown)}</span>
        <span class="faint small">${beside}</span></a></li>`;
}

/** @param {{ statistics: any, by: 'hour' | 'day' }} props */
function Plots({ statistics, by }) {
    const { group } = statistics;
    const last = by === 'hour' ? 24 : 30;
    return html`<div class="halves"><${Card} title=${t('overview.opened')}><${Plot} title=${t('overview.opened')} by=${by} ...${grouped(statistics, group, by, 'opened', last)} /></${Card}>
        <${Card} title=${t('overview.ended_and_expired')}><${Plot} title=${t('overview.ended_and_expired')} by=${by} ...${endings(statistics, last)} /></${Card}></div>
        <${Card} title=${t('overview.open')}><${Plot} title=${t('overview.open')} by=${by} kind="line" ...${grouped(statistics, group, by, 'open', last)} /></${Card}>`;
}

/** @param {{ status: ReturnType<typeof useLoad> }} props */
const Problems = ({ status }) => /** @type {any} */ (status.data)?.problems.map((/** @type {any} */ each) => html`<${Banner} key=${each.code} kind="bad"><${Icon} name="warning" /><span>${each.message}</span><code class="small">${each.code}</code></${Banner}>`);

/** @param {{ status: ReturnType<typeof useLoad> }} props */
const Server = ({ status }) => html`<${Card} title=${t('overview.server')}><${Loaded} of=${status} rows=${5}>${(/** @type {any} */ data) => html`<${Facts} items=${[
    [t('overview.health'), html`<span class=${`badge ${data.problems.length ? 'bad' : 'good'}`}><i class="mark" aria-hidden="true"></i>${data.problems.length ? t('overview.problems', { n: data.problems.length }) : t('overview.well')}</span>`],
    [t('overview.version'), data.version],
    [t('overview.started'), html`<${Time} at=${data.started_at} relative />`],
    [t('overview.database'), `${{ sqlite: 'SQLite', postgresql: 'PostgreSQL' }[/** @type {string} */ (data.database.kind)] ?? data.database.kind} ${data.database.version ?? ''}`],
    data.database.migration && [t('overview.migration'), String(data.database.migration)],
    [t('overview.freshness'), freshness(data.freshness)],
    data.signing_key && [t('overview.signing_key'), html`<a href=${link('/signing')}>${data.signing_key.algorithm}</a> <span class="muted">${t('overview.since')} <${Time} at=${data.signing_key.since} relative /></span>`],
]} />`}</${Loaded}></${Card}>`;

/** How old an answer may be. A bound of 0 means that none comes from the cache. @param {any} told */
const freshness = (told) => (told.bound_ms === 0 ? t('overview.strict') : told.change_log_age_ms === undefined || told.change_log_age_ms === null ? undefined
    : t('overview.fresh', { age: milliseconds(told.change_log_age_ms), bound: milliseconds(told.bound_ms) }));

/** @param {number} value */
const milliseconds = (value) => (value < 10_000 ? `${number(value)} ms` : duration(value / 1000));

function Latest() {
    const { shown, state, total } = useEndings({ kept: LATEST });
    return html`<${Card} flush title=${t('overview.latest')} actions=${html`<${StreamMark} state=${state} /><a class="button small" href=${link('/live')}>${t('overview.watch')}</a>`}><${Announcement} total=${total} />
        ${shown.length ? html`<${Endings} endings=${shown} label=${t('overview.latest')} />` : html`<${Empty} icon="live" title=${t('live.empty')} text=${t('live.empty_text')} />`}</${Card}>`;
}
