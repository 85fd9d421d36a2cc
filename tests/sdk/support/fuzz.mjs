import { spawn } from 'node:child_process';

import { Checks, Difference } from './checks.mjs';
import { Server } from './server.mjs';

// The native family has more operations than all others together.
const seconds = (family) => (family === 'native' ? 60 : 24);

const checks = new Checks();
const server = new Server();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
try {
    await server.start();
    for (const family of process.argv.slice(2)) {
        await checks.run(`${family}: no request makes the server break down, and answers are as documented`, () => fuzz(family));
    }
} finally {
    await server.stop();
}
checks.end();

async function fuzz(family) {
    const options = {
        origin: server.base,
        checks: 'does_not_break_down,response_schema_conformance,content_type_conformance',
        'max-time': seconds(family),
        // Random text is seldom a session id, which must not end the run.
        warnings: 'off',
        'request-timeout': 15,
    };
    const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const python = spawn('python/bin/schemathesis', ['run', `openapi/${family}.yaml`, ...words, '--no-color'], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
            ...process.env,
            PYTHONPATH: 'support',
            SCHEMATHESIS_HOOKS: 'fuzz_hooks',
            SOJOURN_BASE: server.base,
            SOJOURN_KEY: server.key,
            SOJOURN_AUTHORIZATION: family === 'cumulonimbus' ? '{}' : 'Bearer {}',
        },
    });
    let said = '';
    for (const stream of [python.stdout, python.stderr]) stream.on('data', (text) => (said += text));
    const stop = () => python.kill('SIGKILL');
    process.once('exit', stop);
    const status = await new Promise((resolve) => python.once('close', resolve));
    process.removeListener('exit', stop);
    if (status !== 0) throw new Difference(said);
    console.log(`        ${said.match(/Test cases:\s+(.*)/)?.[1] ?? said}`);
}
