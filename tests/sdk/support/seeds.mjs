// Facts of the published documents: operations with method and path, parameters, results, statuses.

/** Reads the facts of each family's document out of its text. */
export const readers = { quiika, vault, janssen, blackbox, cumulonimbus };

/** The beginning of the name of each family's document. */
export const files = { quiika: '000_', vault: '001_', janssen: '002_', blackbox: '003_', cumulonimbus: '004_' };

/** Typescript-axios, typescript-fetch and javascript documents are alike: an overview, then a section an operation. */
function generated(text, { heading, row, parameter }) {
    const server = text.match(/All URIs are relative to \*(.*)\*/)[1];
    const rows = [...text.matchAll(row)].map(([, operation, method, path, summary]) => ({ operation, method, path, summary }));
    const operations = rows.map(({ operation, method, path, summary }) => {
        const section = sectionOf(text, heading(operation));
        const returns = between(section, '### Return type', '###').replace(/^\[|\]\(.*$|\*/gm, '').trim();
        const statuses = [...section.matchAll(/^\|\s?\*\*(\d+)\*\* \| (.*?) \|/gm)].map(([, status, words]) => [status, plain(words)]);
        return {
            operation,
            request: `${method} ${path}`,
            summary,
            parameters: [...section.matchAll(parameter)].map(([, name, type, words, notes]) => ({
                name,
                type: type.toLowerCase(),
                required: !notes.includes('[optional]'),
                ...defaultOf(notes),
                ...(words.trim() && { description: plain(words) }),
            })),
            returns: returns.endsWith('(empty response body)') ? null : plain(returns),
            security: between(section, '### Authorization', '###').match(/\[(\w+)\]/)[1],
            ...(statuses.length > 0 && { statuses: Object.fromEntries(statuses) }),
        };
    });
    return { server, operations };
}

function quiika(text) {
    return generated(text, {
        heading: (operation) => `# **${operation}**`,
        row: /^\|\[\*\*(\w+)\*\*\]\(.*?\) \| \*\*(\w+)\*\* (\S+) \| (.*)\|$/gm,
        parameter: /^\| \*\*(\w+)\*\* \| \[\*\*(\w+)\*\*\] \| (.*?) \| (.*?)\|$/gm,
    });
}

function vault(text) {
    return generated(text, {
        heading: (operation) => `## ${operation}`,
        row: /^\| \[\*\*(\w+)\*\*\]\(.*?\) \| \*\*(\w+)\*\* (\S+) \| (.*) \|$/gm,
        parameter: /^\| \*\*(\w+)\*\* \| `(\w+)` \|(.*?)\| (.*?) \|$/gm,
    });
}

function janssen(text) {
    return generated(text, {
        heading: (operation) => `## ${operation}`,
        row: /^\[\*\*(\w+)\*\*\]\(.*?\) \| \*\*(\w+)\*\* (\S+) \| (.*)$/gm,
        parameter: /^ \*\*(\w+)\*\* \| \*\*(\w+)\*\*\|(.*?)\|(.*)$/gm,
    });
}

/** A Speakeasy document names models, and shows parameters only in its examples. */
function blackbox(text) {
    const snippet = /<!-- UsageSnippet .*?operationID="(\w+)" method="(\w+)" path="(.*?)" -->/g;
    const operations = text.split(/^## (?!Overview)/m).slice(1).map((section) => {
        const [[, operation, method, path]] = section.matchAll(snippet);
        const returns = section.match(/\*\*Promise\\<(?:void|\[models\.(\w+)\].*?)\\>\*\*/)[1];
        const given = [...section.split('### Standalone')[0].matchAll(/^ +(\w+): ([^{]*?),?$/gm)];
        const ofOperation = given.filter(([, name]) => name !== 'blackboxAuthToken');
        const model = section.match(/^\| `request` +\| \[models\.(\w+)\]/m)?.[1] ?? section.match(/^ +(\w+): \{$/m)?.[1];
        return {
            operation,
            request: `${method.toUpperCase()} ${path}`,
            parameters: ofOperation.map(([, name, value]) => ({
                name: name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
                type: typeof JSON.parse(value),
                required: true,
            })),
            ...(model && { body: model[0].toUpperCase() + model.slice(1) }),
            returns: returns ?? null,
        };
    });
    return { operations };
}

/** A hand-written document: a list of parameters, and a list of the meanings of each status. */
function cumulonimbus(text) {
    const operations = text.split(/^## /m).slice(1).map((section) => {
        const [request] = section.split('\n', 1);
        const parameters = between(section, ':::details Parameters', ':::');
        const responses = between(section, ':::details Responses', ':::').split(/^- (?=\d)/m).slice(1);
        return {
            request: request.replace(/:(\w+)/g, '{$1}'),
            summary: section.split('\n')[2],
            parameters: [...parameters.matchAll(/^ {2}- `(\w+)`(.*)$/gm)].map(([, name, notes]) => ({
                name,
                required: !notes.includes('_optional_'),
            })),
            statuses: Object.fromEntries(
                responses.map((response) => {
                    const words = [...response.matchAll(/^ {2}- (.*)$/gm)].map(([, word]) => word.replace(/\[(\w+)\]\(.*?\)/g, '$1'));
                    return [response.slice(0, 3), words.join(', ')];
                }),
            ),
        };
    });
    return { operations };
}

function sectionOf(text, heading) {
    const lines = text.split('\n');
    const start = lines.indexOf(heading);
    const level = heading.split(' ')[0];
    const length = lines.slice(start + 1).findIndex((line) => line.startsWith(`${level} `));
    return lines.slice(start, length < 0 ? undefined : start + 1 + length).join('\n');
}

function between(text, from, to) {
    const rest = text.slice(text.indexOf(from) + from.length);
    return rest.slice(0, rest.indexOf(to));
}

function defaultOf(notes) {
    const text = plain(notes).match(/\[default to (.*)\]/)?.[1];
    if (text === undefined) return {};
    return { default: text.startsWith("'") ? text.slice(1, -1) : JSON.parse(text) };
}

function plain(text) {
    const characters = { '&#39;': "'", '&quot;': '"', '&lt;': '<', '&gt;': '>' };
    return text.trim().replace(/\\(?=&)/g, '').replace(/&(#39|quot|lt|gt);/g, (name) => characters[name]);
}
