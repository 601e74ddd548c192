// What all loads share: the nation, where the service is, and what is left behind.
// Settings come from the environment (k6 run -e NAME=VALUE); rollcall live gives them.
import rollcall from 'k6/x/rollcall'

const env = (name, otherwise) => __ENV[name] || otherwise

// number is a setting that counts something: a whole one, for k6 takes no other, unless parts count.
export function number(name, otherwise, parts = false) {
  const n = Number(env(name, otherwise))
  if (!(n >= 0) || !parts && !Number.isInteger(n)) throw new Error(`${name}: ${__ENV[name]} is no ${parts ? '' : 'whole '}number (write ${name}=${otherwise})`)
  return n
}

// time is a setting that is a length of time, in seconds.
export function seconds(name, otherwise) {
  const m = /^(\d+(?:\.\d+)?)(s|m|h)$/.exec(env(name, otherwise))
  if (!m) throw new Error(`${name}: ${__ENV[name]} is no length of time (write ${name}=${otherwise})`)
  return Number(m[1]) * { s: 1, m: 60, h: 3600 }[m[2]]
}

// How long a reported card may still be taken by a bank: publishing, keeping, allowance.
export const bound = seconds('STATUS_EVERY', '30s') + seconds('STATUS_TTL', '15m') + seconds('ALLOWANCE', '5s')

// town opens the nation of a load whose virtual users may take so many citizens at once: fewer
// would be found out in the middle of it. usual is how many there are where nothing is said.
export function town(load, atOnce, more = {}, usual = atOnce) {
  const citizens = number('CITIZENS', usual)
  if (citizens < atOnce) throw new Error(`CITIZENS: ${citizens} are too few: the virtual users of ${load} take ${atOnce} at once (write CITIZENS=${atOnce}, or a lower VUS)`)
  return rollcall.open({
    load,
    scenario: env('SCENARIO', 'announced'),
    service: env('SERVICE', ''),
    ca: __ENV.CA ? open(__ENV.CA) : null,
    citizens,
    first: number('FIRST', 0),
    seed: number('SEED', 1),
    statusEvery: env('STATUS_EVERY', '30s'),
    ttl: env('STATUS_TTL', '15m'),
    allowance: env('ALLOWANCE', '5s'),
    control: env('CONTROL', ''),
    command: env('COMMAND', `k6 run ${load}.js`),
    ...more,
  })
}

// right holds for every load: no answer is wrong, by the citizen's own history or by
// the whole one, and nothing makes it doubtful what was measured.
export const right = { rollcall_violations: ['count==0'], checks: ['rate==1'], rollcall_doubts: ['count==0'] }

// always holds for every load that the service is to bear: all that was due began.
export const always = { ...right, dropped_iterations: ['count==0'] }

// unanswered limits the requests without an answer that decides.
export const unanswered = (share) => ({ rollcall_unknown: [`rate<${share}`] })
