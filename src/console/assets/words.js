// The words of the page in the reader's language.

/** @typedef {{ [section: string]: { [key: string]: string | Partial<Record<Intl.LDMLPluralRule, string>> } }} Words */

/** @type {Record<string, () => Promise<{ words: Words }>>} */
const languages = { en: () => import('./words/en.js'), de: () => import('./words/de.js') };

/** @type {Words} */
let words = {};
/** The language of the words; times and numbers follow the reader's own region where it has the same language. */
export let language = 'en';
export let locale = 'en';
let plurals = new Intl.PluralRules('en');
let numbers = new Intl.NumberFormat('en');

/** Loads the first of the reader's languages that there are words in. */
export async function loadWords() {
    const wanted = navigator.languages.find((each) => each.split('-')[0] in languages) ?? 'en';
    language = wanted.split('-')[0];
    locale = wanted;
    ({ words } = await languages[language]());
    plurals = new Intl.PluralRules(locale);
    numbers = new Intl.NumberFormat(locale);
    document.documentElement.lang = language;
}

/** @param {number} value */
export const number = (value) => numbers.format(value);

/**
 * A sentence of the words. `{name}` in it is replaced; numbers are written as the reader's region does; `n` chooses the plural.
 * @param {string} key `section.name`
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
    const [section, name] = key.split('.');
    const found = words[section]?.[name];
    const text = typeof found === 'object' ? (found[plurals.select(Number(values.n))] ?? found.other) : found;
    if (!text) return key;
    return text.replace(/\{(\w+)\}/g, (whole, part) => {
        const value = values[part];
        return value === undefined ? whole : typeof value === 'number' ? number(value) : value;
    });
}

/**
 * The word for a value of the API, such as an end reason; a value that has no word yet is shown as it came.
 * @param {string} section
 * @param {string | null | undefined} value
 */
export function named(section, value) {
    const found = value ? words[section]?.[value] : undefined;
    return typeof found === 'string' ? found : (value ?? '');
}
