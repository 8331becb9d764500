// Prints the page's Content-Security-Policy for a list of models.
import { readFile } from 'node:fs/promises';
import { policy } from '../www/policy.js';

process.stdout.write(policy(JSON.parse(await readFile(process.argv[2], 'utf8'))));
