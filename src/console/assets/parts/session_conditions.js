// The conditions that sessions are searched by.
import { named, t } from '../words.js';

export const STATES = ['active', 'idle_expired', 'expired', 'ended'];
export const REASONS = ['logout', 'revoked_by_user', 'revoked_by_admin', 'replaced', 'reuse_detected', 'user_banned', 'user_deleted'];
export const DEVICES = ['desktop', 'mobile', 'tablet', 'tv', 'console', 'headset', 'app', 'bot', 'unknown'];

/**
 * @param {string} section
 * @param {string[]} values
 * @returns {[string, string][]}
 */
const choices = (section, values) => values.map((value) => [value, named(section, value)]);

/** Conditions of a bulk ending, in the order in which they are offered. @returns {import('./chips.js').Condition[]} */
export const endingConditions = () => [
    { name: 'user_id', label: t('sessions.user'), kind: 'text' },
    { name: 'user_name', label: t('sessions.user_name'), kind: 'text', hint: t('sessions.name_hint') },
    { name: 'email', label: t('sessions.email'), kind: 'text', hint: t('sessions.email_hint') },
    { name: 'client_id', label: t('sessions.application'), kind: 'text' },
    { name: 'device_type', label: t('sessions.device_type'), kind: 'choice', choices: choices('device', DEVICES) },
    { name: 'ip_address', label: t('sessions.address'), kind: 'text', hint: t('sessions.address_hint') },
    { name: 'browser', label: t('sessions.browser'), kind: 'text', hint: t('sessions.text_hint') },
    { name: 'os', label: t('sessions.os'), kind: 'text', hint: t('sessions.text_hint') },
    { name: 'opened_by', label: t('sessions.opened_by'), kind: 'text', hint: t('sessions.opened_by_hint') },
    { name: 'created', label: t('sessions.opened'), kind: 'range' },
];

/** Conditions of a search: those, and what only a search has. @returns {import('./chips.js').Condition[]} */
export function searchConditions() {
    const [user, ...rest] = endingConditions();
    return [
        user,
        { name: 'state', label: t('sessions.state'), kind: 'choice', choices: choices('state', STATES) },
        ...rest,
        { name: 'last_seen', label: t('sessions.last_seen'), kind: 'range' },
        { name: 'ended_reason', label: t('sessions.reason'), kind: 'choice', choices: choices('reason', REASONS) },
    ];
}

/** The parameters of conditions, without those that the address has besides. @param {import('./chips.js').Condition[]} conditions @param {URLSearchParams} query */
export function conditionValues(conditions, query) {
    /** @type {Record<string, string>} */
    const values = {};
    for (const { name, kind } of conditions) {
        for (const each of kind === 'range' ? [`${name}_from`, `${name}_to`] : [name]) {
            const value = query.get(each);
            if (value) values[each] = value;
        }
    }
    return values;
}

/** The condition that a text in the search field most likely is. @param {string} text @returns {Record<string, string>} */
export function guessed(text) {
    if (/^[^\s@]+@[^\s@]+$/.test(text)) return { email: text };
    if (/^[\d.]+\.[\d.]+(\/\d+)?$/.test(text) || /^[\da-f]*:[\da-f:.]+(\/\d+)?$/i.test(text)) return { ip_address: text };
    return /\s/.test(text) ? { user_name: text } : { user_id: text };
}

/** Whether a text is the id of a session. @param {string} text */
export const isSessionId = (text) => /^[\da-f]{8}-([\da-f]{4}-){3}[\da-f]{12}$/i.test(text);
