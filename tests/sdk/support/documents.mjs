// Compares our documents with the published ones: always with the facts, and where the published documents are
// available, also with them and, line by line, with the generated SDK documents.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { parse } from 'yaml';

import { Checks, Difference } from './checks.mjs';
import { files, readers } from './seeds.mjs';

const generated = {
    quiika: 'docs/SessionManagementApi.md',
    vault: 'docs/SessionsApi.md',
    janssen: 'docs/AuthSessionManagementApi.md',
};
const facts = JSON.parse(fs.readFileSync('facts.json', 'utf8'));
const seeds = process.env.SOJOURN_SEEDS;
const checks = new Checks();

for (const [family, { wrapper = [], ...document }] of Object.entries(facts)) {
    // A published client may have methods that the published document leaves out.
    const published = { ...document, operations: [...document.operations, ...wrapper] };
    await checks.run(`${family}: our document says what is published`, () => {
        same(published, family, whatIsPublishedOf(factsOf(readDocument(family), family), published, family));
    });
}

if (fs.existsSync(seeds)) {
    for (const family of Object.keys(facts)) {
        const seed = read(seeds, files[family]);
        await checks.run(`${family}: facts.json says what the published document says`, () => {
            const { wrapper, ...document } = facts[family];
            same(readers[family](seed), family, document);
        });
        if (!generated[family]) continue;
        await checks.run(`${family}: the generated document is the published one, line by line`, () => {
            const document = fs.readFileSync(path.join('generated', family, generated[family]), 'utf8');
            same(readable(seed), family, withoutAdditions(document, seed));
        });
    }
} else {
    console.log(`left out: the comparison with the published documents, there is no folder ${seeds}`);
}
checks.end();

function readDocument(family) {
    return parse(fs.readFileSync(`openapi/${family}.yaml`, 'utf8'));
}

function read(folder, beginning) {
    const name = fs.readdirSync(folder).find((candidate) => candidate.startsWith(beginning));
    return fs.readFileSync(path.join(folder, name), 'utf8').replaceAll('\r\n', '\n');
}

/** All facts of one of our documents, in the form of the published ones. */
function factsOf(document, family) {
    const operations = Object.entries(document.paths).flatMap(([route, methods]) =>
        Object.entries(methods).map(([method, operation]) => {
            const body = content(operation.requestBody);
            const [success] = Object.entries(operation.responses).find(([status]) => status.startsWith('2'));
            const statuses = Object.entries(operation.responses).map(([status, response]) => [status, response.description]);
            return {
                operation: family === 'blackbox' || !operation.operationId ? operation.operationId : camelised(operation.operationId),
                request: `${method.toUpperCase()} ${route}`,
                summary: operation.summary,
                parameters: [...(operation.parameters ?? []).map(parameter), ...(body ? members(document, body) : [])],
                body: body && typeName(body),
                returns: typeName(content(operation.responses[success])),
                security: Object.keys(operation.security[0])[0],
                statuses: Object.fromEntries(statuses),
            };
        }),
    );
    return { server: document.servers[0].url, operations };
}

function parameter({ name, description, required = false, schema }) {
    return {
        name: name[0].toLowerCase() + name.slice(1),
        type: plainType(schema),
        required,
        ...('default' in schema && { default: schema.default }),
        ...(description && { description }),
    };
}

function members(document, schema) {
    const { properties, required = [] } = document.components.schemas[schema.$ref.split('/').at(-1)];
    return Object.entries(properties).map(([name, property]) => ({
        name,
        type: plainType(property),
        required: required.includes(name),
    }));
}

function content(messageOrResponse) {
    return messageOrResponse?.content?.['application/json']?.schema;
}

/** Generators leave out the `_` between a generic model and its parameter. */
function typeName(schema) {
    if (!schema) return null;
    if (schema.type === 'array') return `Array<${typeName(schema.items)}>`;
    return schema.$ref.split('/').at(-1).replaceAll('_', '');
}

function plainType({ type }) {
    const types = [type].flat().filter((name) => name !== 'null');
    return types.join() === 'integer' ? 'number' : types.join();
}

function camelised(id) {
    return id.replace(/[-_](\w)/g, (_, letter) => letter.toUpperCase());
}

/** Those of our facts that the published document also states. A document may leave out a whole kind of fact. */
function whatIsPublishedOf(ours, published, family) {
    const selected = (all, like) => Object.fromEntries(Object.keys(like).map((name) => [name, all?.[name]]));
    const operations = ours.operations.map((operation) => {
        const like = published.operations.find(({ request }) => request === operation.request);
        if (!like) return operation;
        const chosen = selected(operation, like);
        chosen.parameters = operation.parameters.map((parameter) => {
            const known = like.parameters.find(({ name }) => name === parameter.name);
            return known ? selected(parameter, { ...known, ...('default' in parameter && { default: 0 }) }) : parameter;
        });
        // Additional statuses are fine, because they document honest failures.
        if (like.statuses) chosen.statuses = selected(operation.statuses, like.statuses);
        // Models that Blackbox's SDK ignores are described all the same.
        if (family === 'blackbox' && like.returns === null) chosen.returns = null;
        return chosen;
    });
    const order = published.operations.map(({ request }) => request);
    // Operations that are not published come first, and fail the comparison.
    operations.sort((one, other) => order.indexOf(one.request) - order.indexOf(other.request));
    return { ...selected(ours, published), operations };
}

/** The generated document without permitted additions to the published one. */
function withoutAdditions(document, seed) {
    const known = sections(seed);
    return sections(document)
        .map((section) => {
            const original = known.find(({ heading }) => heading === section.heading);
            if (!original) return section.text;
            const lines = section.text.split('\n').filter((line) => {
                const status = line.match(/^\|\s?\*\*(\d+)\*\* \|/)?.[0];
                return !status || original.text.includes(status);
            });
            return lines.join('\n');
        })
        .join('\n');
}

function sections(text) {
    const parts = text.split(/\n(?=# \*\*|## )/);
    return parts.map((part) => ({ heading: part.split('\n', 1)[0], text: part }));
}

/** Repairs a published document that was once read in a wrong character set. */
function readable(seed) {
    return seed.replaceAll('ðŸš€', '🚀');
}

function same(published, family, ours) {
    const text = (value) => (typeof value === 'string' ? value.trimEnd() + '\n' : JSON.stringify(sorted(value), null, 2) + '\n');
    if (text(published) === text(ours)) return;
    const folder = path.join('differences', family);
    fs.mkdirSync(folder, { recursive: true });
    const names = ['published', 'ours'].map((name) => path.join(folder, name));
    fs.writeFileSync(names[0], text(published));
    fs.writeFileSync(names[1], text(ours));
    let difference = 'they differ';
    try {
        execFileSync('diff', ['-U4', ...names], { encoding: 'utf8' });
    } catch (failure) {
        difference = failure.stdout;
    }
    throw new Difference(difference);
}

/** The value with its members in a fixed order, so that only contents are compared. */
function sorted(value) {
    if (Array.isArray(value)) return value.map(sorted);
    if (value === null || typeof value !== 'object') return value;
    const names = Object.keys(value).sort();
    return Object.fromEntries(names.map((name) => [name, sorted(value[name])]));
}
