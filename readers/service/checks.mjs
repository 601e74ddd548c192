// One line per check, and how many there were.
import { isDeepStrictEqual } from 'node:util';

let passed = 0;
let failed = 0;

export async function check(name, body) {
  try {
    const value = await body();
    passed++;
    console.log(`ok      ${name}`);
    return value;
  } catch (e) {
    failed++;
    console.log(`FAILED  ${name}: ${e.message ?? e}${e.cause ? ` (${e.cause.message ?? e.cause})` : ''}`);
    if (process.env.ROLLCALL_TRACE) console.log(e);
  }
}

// What the next steps need: without it there is no point in going on.
export async function must(name, body) {
  const before = failed;
  const value = await check(name, body);
  if (failed > before) throw new Error(`"${name}" failed, and the rest needs it`);
  return value;
}

export function equal(got, want, what) {
  if (!isDeepStrictEqual(got, want)) throw new Error(`${what} is ${JSON.stringify(got)}, not ${JSON.stringify(want)}`);
}

export function ok(condition, sentence) {
  if (!condition) throw new Error(sentence);
}

export function total() {
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}
