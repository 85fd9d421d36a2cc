// Checks the documents in every form: YAML and JSON of OpenAPI 3.1, JSON of OpenAPI 3.0, and what a generator makes of them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { Validator } from '@seriousme/openapi-schema-validator';
import { parse } from 'yaml';

import { Checks } from './checks.mjs';

const VERSIONS = { yaml: '3.1', json: '3.1', 'json-3.0': '3.0' };
const FAMILIES = ['all', 'native', 'quiika', 'vault', 'janssen', 'blackbox', 'cumulonimbus'];
const checks = new Checks();

/** @param {string} family @param {string} form */
const read = (family, form) => parse(fs.readFileSync(`openapi/${family}.${form}`, 'utf8'));

for (const family of FAMILIES) {
    await checks.run(`${family}: JSON says what YAML says`, () => {
        assert.deepEqual(read(family, 'json'), read(family, 'yaml'));
    });
    for (const [form, version] of Object.entries(VERSIONS)) {
        await checks.run(`${family}.${form}: is valid OpenAPI ${version}`, async () => {
            const validator = new Validator();
            const { valid, errors } = await validator.validate(read(family, form));
            assert.ok(valid, JSON.stringify(errors));
            assert.equal(validator.version, version);
            assert.ok(validator.resolveRefs());
        });
    }
}

for (const form of ['json', 'json-3.0']) {
    const folder = `generated/native-${form}/src`;
    await checks.run(`native.${form}: its SDK compiles, and every class has a name that somebody gave it`, () => {
        const options = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler'];
        execFileSync('node_modules/.bin/tsc', [...options, path.join(folder, 'index.ts')], { stdio: 'inherit' });
        const classes = ['models', 'apis'].flatMap((kind) => fs.readdirSync(path.join(folder, kind))).map((file) => path.basename(file, '.ts'));
        assert.ok(classes.includes('TokensApi') && classes.includes('MeUser'), classes.join());
        assert.deepEqual(classes.filter((name) => /\d|OneOf|AnyOf|AllOf|Inline|Inner/.test(name)), []);
    });
}
checks.end();
