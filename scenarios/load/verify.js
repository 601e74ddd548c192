// The hot path: cards that were issued before are shown, at a rate that does not wait
// for the answers.
import { town, always, unanswered, number, seconds } from './nation.js'

const rate = number('RATE', 50), vus = number('VUS', 200), time = seconds('DURATION', '1m')
const nation = town('verify', vus)

export const options = {
  scenarios: {
    verify: {
      executor: 'ramping-arrival-rate', timeUnit: '1s', startRate: Math.max(1, Math.round(rate / 10)), preAllocatedVUs: Math.min(vus, rate), maxVUs: vus,
      stages: [{ target: rate, duration: `${Math.ceil(time / 6)}s` }, { target: rate, duration: `${Math.ceil(time)}s` }],
    },
  },
  thresholds: { ...always, ...unanswered(0.001), 'rollcall_present_duration{verifier:shop}': ['p(99)<1000'] },
  setupTimeout: '10m', teardownTimeout: '10m',
}

export function setup() { nation.enter({ issue: 'tap' }) }
export default function () { nation.citizen().present('shop') }
export function teardown() { nation.judge() }
export function handleSummary(data) { return nation.summary(data, __ENV.OUT) }
