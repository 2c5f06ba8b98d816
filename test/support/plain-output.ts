/** Before each test file: what it starts writes to pipes without colours, in a CI too, whose variables ask for them. */
for (const name of ['CI', 'FORCE_COLOR', 'CLICOLOR_FORCE', 'GITHUB_ACTIONS']) delete process.env[name];
