// Ending many sessions: a filter, what it means, the typed number, and the report.
import { now, post } from '../api.js';
import { Chips } from '../parts/chips.js';
import { Icon } from '../parts/icon.js';
import { Banner, Card, Page } from '../parts/page.js';
import { conditionValues, endingConditions } from '../parts/session_conditions.js';
import { Failure } from '../parts/states.js';
import { html, useEffect, useMemo, useState } from '../preact.js';
import { go, link } from '../router.js';
import { t } from '../words.js';
import { Presets } from './end_presets.js';
import { Counted, Report } from './end_steps.js';

/** @typedef {Record<string, string>} Filter conditions of the API; none means everybody */
/**
 * The answer of a dry run.
 * @typedef {{ filter: Filter, at: string, count: number, sample: import('openapi').components['schemas']['Session'][], shares: { client_id: string | null, sessions: number }[] }} Count
 */

/** The earlier of two instants. @param {string | undefined} one @param {string} other */
const earlier = (one, other) => (one && Date.parse(one) < Date.parse(other) ? one : other);

/** Counts what a filter means at this instant. @param {Filter} filter @returns {Promise<Count>} */
export async function count(filter) {
    // Sessions that were opened after this instant are not ended: the server's own is taken where it tells one.
    const before = new Date(now()).toISOString();
    const selection = Object.keys(filter).length ? { filter } : { all: true };
    const answer = await post('/v1/sessions/revoke', { ...selection, dry_run: true });
    return { filter, at: answer.as_of ?? before, count: answer.revoked ?? 0, sample: answer.sample ?? [], shares: answer.by_client_id ?? [] };
}

/** Ends what was counted, and nothing that was opened since. @param {Count} counted @returns {Promise<number | undefined>} */
export const end = async ({ filter, at }) => (await post('/v1/sessions/revoke', { filter: { ...filter, created_to: earlier(filter.created_to, at) } })).revoked;

/** @param {{ query: URLSearchParams }} props */
export default function End({ query }) {
    const conditions = useMemo(endingConditions, []);
    const filter = conditionValues(conditions, query);
    const [counted, setCounted] = useState(/** @type {Count | null} */ (null));
    const [ended, setEnded] = useState(/** @type {{ of: Count, count: number | undefined, at: string } | null} */ (null));
    const [state, setState] = useState(/** @type {{ busy?: boolean, error?: any }} */ ({}));
    // A count belongs to its filter.
    useEffect(() => {
        setCounted(null);
        setState({});
    }, [query.toString()]);
    /** @param {Filter} next */
    const choose = (next) => {
        setEnded(null);
        go(link('/end', next));
    };
    const look = async () => {
        setState({ busy: true });
        try {
            setCounted(await count(filter));
            setState({});
        } catch (error) {
            setState({ error });
        }
    };
    const carryOut = async () => {
        if (!counted) return;
        const number = await end(counted);
        setEnded({ of: counted, count: number, at: new Date(now()).toISOString() });
        setCounted(null);
    };
    if (ended) return html`<${Page} title=${t('end.title')}><${Report} ended=${ended} onAgain=${() => choose({})} /></${Page}>`;
    const everybody = Object.keys(filter).length === 0;
    return html`<${Page} title=${t('end.title')} lead=${t('end.lead')}>
        <${Banner} kind="warn"><${Icon} name="warning" /><span>${t('end.no_undo')}</span></${Banner}>
        <${Card} title=${t('end.which')}><div class="stack"><${Presets} filter=${filter} onChoose=${choose} />
            <${Chips} conditions=${conditions} values=${filter} onChange=${choose} />
            <p class=${everybody ? 'strong' : 'muted'}>${t(everybody ? 'end.everybody' : 'end.filtered')}</p>
            ${state.error && html`<${Failure} error=${state.error} />`}
            <div class="row"><button class=${`button ${counted ? '' : 'primary'}`} disabled=${state.busy} onClick=${look}>${t(counted ? 'end.count_again' : 'end.count')}</button></div></div></${Card}>
        ${counted && html`<${Counted} key=${counted.at} counted=${counted} onConfirm=${carryOut} />`}</${Page}>`;
}
