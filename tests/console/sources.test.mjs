// The checks of the console's sources that need no browser.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

const checkout = process.env.SOJOURN_CHECKOUT;
const sources = path.join(checkout, 'src/console/assets');
// A copy, because types of packages are found only in the folders above a source.
const assets = path.resolve('assets');
const run = promisify(execFile);
const KIB = 1024;
const SCRIPTS_AT_MOST = 90 * KIB;
const ALL_AT_MOST = 150 * KIB;
const LINES_AT_MOST = 250;
/** The vendored files by the start of their names, and the file of an npm package that each is. */
const VENDORED = { 'htm-preact': 'htm/preact/standalone.module.js', uPlot: 'uplot/dist/uPlot.iife.min.js', uplot: 'uplot/dist/uPlot.esm.js' };

const files = fs.readdirSync(sources, { recursive: true }).map(String).filter((file) => fs.statSync(path.join(sources, file)).isFile());
const text = (file) => fs.readFileSync(path.join(sources, file), 'utf8');
const own = files.filter((file) => file.endsWith('.js') && !file.startsWith('vendor/'));

before(() => {
    fs.rmSync(assets, { recursive: true, force: true });
    fs.cpSync(sources, assets, { recursive: true });
});

/** Runs a program of a package, and fails with what it said. */
async function program(name, ...args) {
    try {
        return await run(path.join('node_modules/.bin', name), args, { maxBuffer: 64 * KIB * KIB });
    } catch (error) {
        throw new Error(`${name} ${args.join(' ')}\n${error.stdout}${error.stderr}`);
    }
}

test('the types hold, those of the API as openapi.yaml has them', async () => {
    await program('openapi-typescript', path.join(checkout, 'openapi.yaml'), '--output', 'openapi.d.ts');
    for (const file of files.filter((file) => file.startsWith('vendor/htm-preact'))) {
        fs.copyFileSync('types/htm-preact.d.ts', path.join(assets, file.replace(/js$/, 'd.ts')));
    }
    await program('tsc', '--project', 'tsconfig.json');
});

test('the linter has nothing to say', async () => {
    await program('eslint', '--max-warnings=0', 'assets');
});

test('no file is longer than a screen should be', () => {
    const long = own.filter((file) => !file.startsWith('words/') && text(file).split('\n').length - 1 > LINES_AT_MOST);
    assert.deepEqual(long, []);
});

test('nothing is written as markup, evaluated, kept or asked of another origin', () => {
    const forbidden = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|serviceWorker|sessionStorage|\bstyle=["'`]|https?:\/\//;
    for (const file of own) {
        for (const [index, line] of text(file).split('\n').entries()) assert.doesNotMatch(line, forbidden, `${file}:${index + 1}`);
    }
    const kept = own.filter((file) => text(file).includes('localStorage'));
    assert.deepEqual(kept, ['store.js']);
});

/** `section.name` of all words, each with its sentences. */
async function words(language) {
    const { words } = await import(pathToFileURL(path.join(sources, `words/${language}.js`)).href);
    const entries = Object.entries(words).flatMap(([section, of]) => Object.entries(of).map(([name, said]) => [`${section}.${name}`, said]));
    return new Map(entries);
}

const sentences = (said) => (typeof said === 'string' ? [said] : Object.values(said));
const blanks = (said) => [...new Set(sentences(said).flatMap((each) => each.match(/\{\w+\}/g) ?? []))].sort();

test('both languages have the same words, with the same blanks and the plurals that the language needs', async () => {
    const [english, german] = await Promise.all([words('en'), words('de')]);
    assert.deepEqual([...german.keys()].sort(), [...english.keys()].sort());
    for (const [key, said] of english) {
        assert.deepEqual(blanks(german.get(key)), blanks(said), key);
        for (const [language, each] of Object.entries({ en: said, de: german.get(key) })) {
            assert.ok(sentences(each).every((sentence) => sentence.trim()), `${key} is empty in ${language}`);
            if (typeof each === 'object') assert.deepEqual(Object.keys(each).sort(), ['one', 'other'], `${key} in ${language}`);
        }
    }
});

test('every word that the code uses is there, and every word that is there is used', async () => {
    const known = await words('en');
    const code = own.filter((file) => !file.startsWith('words/')).map(text).join('\n');
    const sections = new Set([...known.keys()].map((key) => key.split('.')[0]));
    const exact = [...code.matchAll(/['"`]([a-z_]+\.\w+)['"`]/g)].map(([, key]) => key).filter((key) => sections.has(key.split('.')[0]));
    // The names of actions look like words, and each has one.
    const isAction = (key) => known.has(`action.${key.replace('.', '_')}`);
    assert.deepEqual(exact.filter((key) => !known.has(key) && !isAction(key) && !/\.js$/.test(key)), [], 'missing');
    const called = [...code.matchAll(/\bt\(\s*['"`]([^'"`$]+)['"`]/g)].map(([, key]) => key);
    assert.deepEqual(called.filter((key) => !known.has(key)), [], 'missing');
    // `t(`section.start_${value}`)` uses all that start so, `named('section', value)` the whole section.
    const starts = [...code.matchAll(/`([a-z_]+\.\w*)\$\{/g)].map(([, start]) => start);
    starts.push(...[...code.matchAll(/\bnamed\(\s*'(\w+)'/g)].map(([, section]) => `${section}.`));
    const unused = [...known.keys()].filter((key) => !exact.includes(key) && !starts.some((start) => key.startsWith(start)));
    assert.deepEqual(unused, [], 'unused');
});

test('vendored files are those of npm, and their licences are beside them', () => {
    for (const file of files.filter((file) => /^vendor\/.*\.(js|css)$/.test(file))) {
        const [, name] = file.match(/^vendor\/(.*?)-?[\d.]*\.(?:js|css)$/);
        const published = file.endsWith('.css') ? 'uplot/dist/uPlot.min.css' : VENDORED[name];
        assert.ok(published, `${file} is a file of no known package`);
        assert.ok(fs.readFileSync(path.join(sources, file)).equals(fs.readFileSync(path.join('node_modules', published))), file);
        const { version } = JSON.parse(fs.readFileSync(path.join('node_modules', published.split('/')[0], 'package.json'), 'utf8'));
        assert.ok(file.includes(version), `${file} does not name its version ${version}`);
    }
    assert.ok(files.some((file) => file.startsWith('vendor/LICENSE')));
});

test('the console is within its budgets', () => {
    const size = (which) => which.reduce((sum, file) => sum + gzipSync(fs.readFileSync(path.join(sources, file)), { level: 9 }).length, 0);
    const kib = (bytes) => `${(bytes / KIB).toFixed(1)} KiB`;
    // A browser loads the words of one language.
    const scripts = (language) => files.filter((file) => file.endsWith('.js') && !/^words\/(en|de)/.test(file.replace(`words/${language}`, '')));
    const languages = Object.fromEntries(['en', 'de'].map((language) => [language, size(scripts(language))]));
    const all = size(files.filter((file) => !/LICENSE|\.md$/.test(file)));
    const told = Object.entries(languages).map(([language, bytes]) => `${kib(bytes)} in ${language}`);
    console.log(`gzip: scripts ${told.join(', ')} of 90; all in both languages ${kib(all)} of 150`);
    for (const [language, bytes] of Object.entries(languages)) assert.ok(bytes <= SCRIPTS_AT_MOST, `scripts: ${kib(bytes)} in ${language}`);
    assert.ok(all <= ALL_AT_MOST, `all: ${kib(all)}`);
});
