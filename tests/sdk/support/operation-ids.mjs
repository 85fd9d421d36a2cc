// No linter rule compares operation ids that differ in case or separators only, and those collide in generated clients.
import fs from 'node:fs';

import { parse } from 'yaml';

import { Checks, Difference } from './checks.mjs';

const document = parse(fs.readFileSync(process.argv[2], 'utf8'));
const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
const checks = new Checks();
const seen = new Map();
await checks.run(`${operations.length} operations have ids that no other has, however it is spelled`, () => {
    for (const { operationId } of operations) {
        if (!operationId) throw new Difference('an operation has no id');
        const spelled = operationId.replace(/[-_]/g, '').toLowerCase();
        if (seen.has(spelled)) throw new Difference(`${seen.get(spelled)} and ${operationId}`);
        seen.set(spelled, operationId);
    }
});
checks.end();
