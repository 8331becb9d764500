// node fuzz.mjs TARGET --minutes N
import { runFor } from './drive.mjs';

const [name, , minutes = '1'] = process.argv.slice(2);
const { executions, answers, finding, seed } = runFor(name, Number(minutes));
console.log(`${name}: ${executions} executions, ${answers} kinds of answers`);
if (finding) {
  console.error(`seed ${seed}: ${finding.what}\n${JSON.stringify(finding.input)}`);
  process.exit(1);
}
