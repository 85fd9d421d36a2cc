// The questions to staff before something is done to a user.
import { post, remove } from '../api.js';
import { Confirm } from '../parts/dialog.js';
import { Check, Field } from '../parts/field.js';
import { toast } from '../parts/toast.js';
import { html, useState } from '../preact.js';
import { t } from '../words.js';

/** Ids that one request takes. */
const IDS = 500;
/** A longer id than this is not typed to confirm. */
const TYPED = 40;

/** @typedef {{ id: string, path: string, who: import('./user.js').User | null, onClose: () => void, onDone: () => void }} Props */

/** How the user is called in sentences. @param {{ id: string, who: Props['who'] }} of */
const nameOf = ({ id, who }) => {
    const name = who?.name || id;
    return name.length > 60 ? `${name.slice(0, 59)}…` : name;
};

/** Ends sessions by their ids: how many were ended. @param {string[]} ids */
async function endAll(ids) {
    let ended = 0;
    for (let at = 0; at < ids.length; at += IDS) ended += (await post('/v1/sessions/revoke', { ids: ids.slice(at, at + IDS) })).revoked ?? 0;
    return ended;
}

/** @param {Props & { ids?: string[], how: string }} props without `ids` all sessions of the user are ended */
export function EndSessions({ id, path, who, ids, how, onClose, onDone }) {
    const confirm = async () => {
        const ended = ids ? await endAll(ids) : (await remove(`${path}/sessions`)).ended;
        toast(t('user.were_ended', { n: ended, name: nameOf({ id, who }) }));
        onDone();
    };
    return html`<${Confirm} title=${t(`user.ask_end_${how}`, { n: ids?.length ?? 0 })} action=${t(`user.do_end_${how}`, { n: ids?.length ?? 0 })} onConfirm=${confirm} onClose=${onClose}>
        <p>${t('user.end_text')}</p></${Confirm}>`;
}

/** @param {Props & { active: number }} props */
export function BanUser({ id, path, who, active, onClose, onDone }) {
    const [reason, setReason] = useState('');
    const confirm = async () => {
        const { ended } = await post(`${path}/ban`, reason.trim() ? { reason: reason.trim() } : undefined);
        toast(t('user.was_banned', { name: nameOf({ id, who }), n: ended }));
        onDone();
    };
    return html`<${Confirm} title=${t('user.ask_ban', { name: nameOf({ id, who }) })} action=${t('user.ban')} onConfirm=${confirm} onClose=${onClose}>
        <p>${t('user.ban_text', { n: active })}</p>
        <${Field} label=${t('user.reason')} hint=${t('user.reason_hint')} value=${reason} onInput=${setReason} maxlength="255" autocomplete="off" /></${Confirm}>`;
}

/** @param {Props} props */
export function UnbanUser({ id, path, who, onClose, onDone }) {
    const confirm = async () => {
        await post(`${path}/unban`);
        toast(t('user.was_unbanned', { name: nameOf({ id, who }) }));
        onDone();
    };
    return html`<${Confirm} danger=${false} title=${t('user.ask_unban', { name: nameOf({ id, who }) })} action=${t('user.unban')} onConfirm=${confirm} onClose=${onClose}>
        <p>${t('user.unban_text')}</p></${Confirm}>`;
}

/** @param {Props & { active: number }} props */
export function DeleteUser({ id, path, who, active, onClose, onDone }) {
    const [erase, setErase] = useState(false);
    const confirm = async () => {
        const { ended, erased } = await remove(path, { erase: erase || undefined });
        toast(t(erase ? 'user.was_erased' : 'user.was_deleted', { name: nameOf({ id, who }), n: ended, erased: erased ?? 0 }));
        onDone();
    };
    return html`<${Confirm} title=${t('user.ask_delete', { name: nameOf({ id, who }) })} action=${t(erase ? 'user.delete_erase' : 'user.delete_now')}
        typed=${id.length <= TYPED ? id : t('user.word')} onConfirm=${confirm} onClose=${onClose}><p>${t('user.delete_text', { n: active })}</p>
        <${Check} label=${t('user.erase')} hint=${t('user.erase_hint')} checked=${erase} onChange=${setErase} /></${Confirm}>`;
}
