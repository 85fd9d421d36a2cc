// Numbers of the statistics, made ready for tiles and plots.
import { now } from '../api.js';
import { link } from '../router.js';
import { named, t } from '../words.js';

const HOUR = 3_600_000;
/** A plot tells no more than this many series apart; the last of more is the rest. */
const MOST = 6;

/** Hours of now and of the day before it. */
export const twoDays = () => new Date(Math.floor(now() / HOUR) * HOUR - 47 * HOUR).toISOString();

/** @param {any} point */
export const endedOf = (point) => Object.values(point.ended).reduce((sum, each) => sum + each, 0);

/**
 * The sum of the last 24 points, and of the 24 before.
 * @param {any[]} series
 * @param {(point: any) => number} value
 */
export function days(series, value) {
    /** @param {any[]} part */
    const sum = (part) => part.reduce((total, point) => total + value(point), 0);
    return { last: sum(series.slice(-24)), before: sum(series.slice(-48, -24)) };
}

/** @param {any} group @param {string} by */
const groupId = (group, by) => group[by] ?? '';

/** @param {string} id @param {string} by */
const groupName = (id, by) => (by === 'device_type' ? named('device', id) : id || t('overview.no_application'));

/**
 * The end of a point, for a search: the start of the next one.
 * @param {string} from
 * @param {'hour' | 'day'} by
 */
const endOf = (from, by) => new Date(Date.parse(from) + (by === 'hour' ? HOUR : 24 * HOUR)).toISOString();

/**
 * Numbers of each application or kind of device.
 * @param {any} statistics @param {'client_id' | 'device_type'} group @param {'hour' | 'day'} by @param {'opened' | 'open'} what @param {number} last as many points
 */
export function grouped(statistics, group, by, what, last) {
    const cut = (/** @type {any[]} */ series) => series.slice(-last);
    const weight = (/** @type {any} */ each) => cut(each.series).reduce((sum, point) => sum + point[what], 0);
    const sorted = [...(statistics.groups ?? [])].filter(weight).sort((a, b) => weight(b) - weight(a));
    const named_ = sorted.length > MOST ? sorted.slice(0, MOST - 1) : sorted;
    const rest = sorted.slice(named_.length);
    const series = named_.map((each) => {
        const id = groupId(each, group);
        return { id, label: groupName(id, group), href: id ? link('/sessions', { [group]: id, ...(what === 'open' && { state: 'active' }) }) : undefined };
    });
    if (rest.length) series.push({ id: ' rest', label: t('overview.others'), href: undefined });
    if (!series.length) series.push({ id: ' all', label: t(`overview.${what}`), href: undefined });
    const points = cut(statistics.series).map((point, index) => {
        const values = named_.map((each) => cut(each.series)[index]?.[what] ?? 0);
        if (rest.length) values.push(rest.reduce((sum, each) => sum + (cut(each.series)[index]?.[what] ?? 0), 0));
        if (!values.length) values.push(point[what]);
        return { at: point.from, values, href: what === 'opened' ? link('/sessions', { created_from: point.from, created_to: endOf(point.from, by) }) : undefined };
    });
    return { series, points };
}

/**
 * Numbers of endings by reason, and of those that expired.
 * @param {any} statistics @param {number} last
 */
export function endings(statistics, last) {
    const points = statistics.series.slice(-last);
    /** @type {Record<string, number>} */
    const sums = {};
    for (const point of points) for (const [reason, each] of Object.entries({ ...point.ended, expired: point.expired })) sums[reason] = (sums[reason] ?? 0) + Number(each);
    const sorted = Object.keys(sums).filter((each) => sums[each]).sort((a, b) => sums[b] - sums[a]);
    // A thief's token is never hidden among the rest, however rare it is.
    const first = sorted.includes('reuse_detected') && sorted.indexOf('reuse_detected') >= MOST - 1 ? ['reuse_detected'] : [];
    const reasons = sorted.length > MOST ? [...sorted.filter((each) => !first.includes(each)).slice(0, MOST - 1 - first.length), ...first] : sorted;
    const rest = sorted.filter((each) => !reasons.includes(each));
    /** @param {any} point @param {string} reason */
    const value = (point, reason) => (reason === 'expired' ? point.expired : (point.ended[reason] ?? 0));
    /** @type {import('./plot.js').Series[]} */
    const series = reasons.map((each) => ({ id: each, label: named('reason', each), alarming: each === 'reuse_detected', href: link('/sessions', each === 'expired' ? { state: 'expired' } : { ended_reason: each }) }));
    if (rest.length) series.push({ id: ' rest', label: t('overview.others'), href: link('/sessions', { state: 'ended' }) });
    if (!series.length) series.push({ id: ' none', label: t('overview.ended'), href: link('/sessions', { state: 'ended' }) });
    return {
        series,
        points: points.map((/** @type {any} */ point) => ({
            at: point.from,
            values: [...reasons.map((each) => value(point, each)), ...(rest.length ? [rest.reduce((sum, each) => sum + value(point, each), 0)] : []), ...(sorted.length ? [] : [0])],
            href: link('/sessions', { state: 'ended' }),
        })),
    };
}
