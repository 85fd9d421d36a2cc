/** Runs named cases and counts them. */
export class Checks {
    passed = 0;
    failed = 0;

    /**
     * @param {string} name
     * @param {() => unknown} body Fails by throwing.
     */
    async run(name, body) {
        try {
            await body();
            this.passed += 1;
            console.log(`ok      ${name}`);
        } catch (error) {
            this.failed += 1;
            const told = error instanceof Error && error.name !== 'Difference' ? error.stack : String(error.message ?? error);
            console.log(`FAILED  ${name}\n${told.replace(/^/gm, '        ')}`);
        }
    }

    /** Prints the result and sets the exit status. */
    end() {
        console.log(`${this.passed} passed, ${this.failed} failed`);
        process.exitCode = this.failed === 0 && this.passed > 0 ? 0 : 1;
    }
}

/** A difference between two texts or facts that should be the same. */
export class Difference extends Error {
    name = 'Difference';
}
