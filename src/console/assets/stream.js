// Server-sent events by fetch: they continue where they broke off, and rest while nobody looks.
import { send } from './api.js';

/** @typedef {'connecting' | 'open' | 'waiting' | 'resting'} StreamState */
/** @typedef {{ id: string, event: string, data: any }} StreamEvent */

const SHORTEST = 1000;
const LONGEST = 30_000;

/** @param {string} block @returns {StreamEvent | null} */
export function parsed(block) {
    /** @type {Record<string, string>} */
    const fields = {};
    for (const line of block.split('\n')) {
        const colon = line.indexOf(':');
        if (colon < 1) continue;
        const value = line.slice(colon + 1).replace(/^ /, '');
        const name = line.slice(0, colon);
        fields[name] = name in fields && name === 'data' ? `${fields[name]}\n${value}` : value;
    }
    if (fields.data === undefined && fields.event === undefined) return null;
    let data = null;
    try {
        data = JSON.parse(fields.data ?? 'null');
    } catch {
        // A message that cannot be read has no data; its name still counts.
    }
    return { id: fields.id ?? '', event: fields.event ?? 'message', data };
}

/**
 * Listens until the function that it returns is called.
 * @param {string} path
 * @param {{ query?: Record<string, any>, onEvent: (event: StreamEvent) => void, onState?: (state: StreamState, error?: any) => void }} options
 */
export function listen(path, { query, onEvent, onState = () => {} }) {
    let last = '';
    let wait = SHORTEST;
    let timer = 0;
    let over = false;
    /** @type {AbortController | null} */
    let stop = null;

    const connect = async () => {
        clearTimeout(timer);
        if (over || stop) return;
        if (document.hidden) return onState('resting');
        const mine = (stop = new AbortController());
        onState('connecting');
        let problem;
        try {
            const response = await send('GET', path, { query, signal: mine.signal, headers: { accept: 'text/event-stream', ...(last && { 'last-event-id': last }) } });
            onState('open');
            await read(response);
        } catch (error) {
            problem = error;
        }
        if (stop === mine) stop = null;
        if (over || mine.signal.aborted) return;
        const status = /** @type {any} */ (problem)?.status;
        if (status === 401 || status === 403 || status === 404) return onState('waiting', problem);
        onState('waiting', problem);
        timer = setTimeout(connect, wait * (0.75 + Math.random() / 2));
        wait = Math.min(LONGEST, wait * 2);
    };

    /** @param {Response} response */
    const read = async (response) => {
        const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
        let rest = '';
        while (reader) {
            const { done, value } = await reader.read();
            if (done) return;
            wait = SHORTEST;
            const blocks = (rest + value).replaceAll('\r\n', '\n').split('\n\n');
            rest = blocks.pop() ?? '';
            for (const block of blocks) {
                const event = parsed(block);
                if (event?.id) last = event.id;
                if (event && !over) onEvent(event);
            }
        }
    };

    const look = () => {
        if (!document.hidden) return void connect();
        clearTimeout(timer);
        stop?.abort();
        stop = null;
        onState('resting');
    };
    document.addEventListener('visibilitychange', look);
    connect();
    return () => {
        over = true;
        clearTimeout(timer);
        stop?.abort();
        document.removeEventListener('visibilitychange', look);
    };
}
