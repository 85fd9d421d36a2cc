// The steps of a bulk ending after its filter: what it means, and what was done.
import { post } from '../api.js';
import { Field } from '../parts/field.js';
import { Icon } from '../parts/icon.js';
import { Banner, Card } from '../parts/page.js';
import { Shares } from '../parts/shares.js';
import { sessionColumns } from '../parts/session_columns.js';
import { Empty, Failure } from '../parts/states.js';
import { Table } from '../parts/table.js';
import { html, useEffect, useState } from '../preact.js';
import { link } from '../router.js';
import { exact } from '../time.js';
import { t } from '../words.js';

/** @typedef {import('./end.js').Count} Count */

/** The server counts no further. */
const COUNTED = 10_000;
/** How often, and how many times at most, it is looked whether sessions are left. */
const EVERY = 1000;
const TIMES = 60;

/** @param {Count} counted */
const sizeOf = ({ count }) => (count > COUNTED ? t('end.over', { n: COUNTED }) : t('end.sessions', { n: count }));

/** The text that confirms an ending when it is typed. @param {Count} counted */
const wordOf = ({ count, filter }) => (count <= COUNTED ? String(count) : (filter.client_id ?? t('end.word')));

/** @param {{ counted: Count, onConfirm: () => Promise<void> }} props */
export function Counted({ counted, onConfirm }) {
    if (!counted.count) return html`<${Card}><${Empty} icon="check" title=${t('end.none')} text=${t('end.none_text', { at: exact(counted.at) })} /></${Card}>`;
    const shares = counted.shares.map((each) => ({ name: each.client_id ?? t('user.no_application'), count: each.sessions }));
    const columns = sessionColumns().filter((each) => ['device', 'user', 'application', 'place', 'opened'].includes(each.id)).map(({ sort: _, ...column }) => column);
    return html`<${Card} title=${t('end.means')}><div class="stack"><p class="big">${sizeOf(counted)}</p><p class="muted">${t('end.at', { at: exact(counted.at) })}</p>
            ${shares.length > 0 && html`<h3>${t('end.shares')}</h3><${Shares} caption=${t('end.shares')} shares=${shares} total=${shares.reduce((sum, each) => sum + each.count, 0)} />`}</div></${Card}>
        <${Card} flush title=${t('end.sample', { n: counted.sample.length })}><${Table} caption=${t('end.sample', { n: counted.sample.length })} rows=${counted.sample} id=${(/** @type {any} */ row) => row.id} columns=${columns} /></${Card}>
        <${Typed} counted=${counted} onConfirm=${onConfirm} />`;
}

/** @param {{ counted: Count, onConfirm: () => Promise<void> }} props */
function Typed({ counted, onConfirm }) {
    const [text, setText] = useState('');
    const [state, setState] = useState(/** @type {{ busy?: boolean, error?: any }} */ ({}));
    const word = wordOf(counted);
    const right = text.replace(/[\s.,’']/g, '') === word.replace(/[\s.,’']/g, '');
    /** @param {Event} event */
    const submit = async (event) => {
        event.preventDefault();
        if (!right || state.busy) return;
        setState({ busy: true });
        try {
            await onConfirm();
        } catch (error) {
            setState({ error });
        }
    };
    const everybody = Object.keys(counted.filter).length === 0;
    return html`<${Card} class="danger-zone" title=${t('end.sure')}><form class="stack" onSubmit=${submit}>
        <p>${t(everybody ? 'end.sentence_everybody' : 'end.sentence', { sessions: sizeOf(counted), at: exact(counted.at) })}</p>
        ${everybody && html`<p>${t('end.you_too')}</p>`}
        <p class="strong">${t('end.no_undo')}</p>
        <${Field} label=${t('end.type', { text: word })} value=${text} onInput=${setText} autocomplete="off" spellcheck="false" inputmode=${counted.count <= COUNTED ? 'numeric' : undefined} />
        ${state.error && html`<${Failure} error=${state.error} />`}
        <div class="row actions"><button class="button danger" disabled=${!right || state.busy}>${state.busy ? t('end.busy') : t('end.do', { sessions: sizeOf(counted) })}</button></div></form></${Card}>`;
}

/** How many of the sessions are left, looked at until there are none. @param {Count} counted */
function useRest(counted) {
    const [rest, setRest] = useState(/** @type {number | undefined} */ (undefined));
    useEffect(() => {
        let times = 0;
        let timer = 0;
        const look = async () => {
            const filter = { ...counted.filter, created_to: counted.filter.created_to ?? counted.at };
            const left = (await post('/v1/sessions/revoke', { filter, dry_run: true }).catch(() => null))?.revoked;
            setRest(left);
            times += 1;
            if (left !== 0 && times < TIMES) timer = setTimeout(look, EVERY);
        };
        look();
        return () => clearTimeout(timer);
    }, [counted]);
    return rest;
}

/** @param {{ ended: { of: Count, count: number | undefined, at: string }, onAgain: () => void }} props */
export function Report({ ended, onAgain }) {
    const rest = useRest(ended.of);
    const total = Math.max(ended.of.count, rest ?? 0, 1);
    const done = rest === undefined ? 0 : total - rest;
    return html`<${Card}><div class="stack" role="status"><p class="row"><${Icon} name="check" /><span class="big">${ended.count === undefined ? t('end.done_uncounted') : t('end.done', { n: ended.count })}</span></p>
            <p class="muted">${t('end.done_at', { at: exact(ended.at) })}</p>
            ${rest !== 0 && html`<progress max=${total} value=${done} aria-label=${t('end.progress')}></progress>`}
            <p>${rest === undefined ? t('end.looking') : rest === 0 ? t('end.none_left') : t('end.left', { n: rest })}</p>
            <${Banner}><${Icon} name="info" /><span>${t('end.stayed', { at: exact(ended.of.at) })}</span></${Banner}>
            <div class="row"><a class="button" href=${link('/audit', { action: 'sessions.ended_in_bulk' })}>${t('end.audit')}</a>
                <a class="button" href=${link('/sessions', { ...ended.of.filter, state: 'ended' })}>${t('end.show')}</a>
                <button class="button" onClick=${onAgain}>${t('end.again')}</button></div></div></${Card}>`;
}
