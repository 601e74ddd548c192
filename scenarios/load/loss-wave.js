// A holiday weekend of lost cards: reports race presentations of the same card, while
// others show theirs.
import { town, always, unanswered, number, seconds } from './nation.js'

const rate = number('RATE', 10), vus = number('VUS', 100), time = seconds('DURATION', '1m')
const nation = town('loss-wave', 2 * vus)

const wave = (exec, target) => ({
  executor: 'ramping-arrival-rate', exec, timeUnit: '1s', startRate: 1, preAllocatedVUs: Math.ceil(vus / 4), maxVUs: vus,
  stages: [{ target, duration: `${Math.ceil(time / 2)}s` }, { target: 1, duration: `${Math.ceil(time / 2)}s` }],
})

export const options = {
  scenarios: { losses: wave('loss', Math.max(1, Math.round(rate / 4))), shows: wave('show', rate) },
  thresholds: { ...always, ...unanswered(0.001), rollcall_report_duration: ['p(99)<1000'] },
  setupTimeout: '10m', teardownTimeout: '10m',
}

export function setup() { nation.enter({ issue: 'tap' }) }
export function loss() {
  const c = nation.citizen()
  const what = __ITER % 3 ? 'physical' : 'mobile'
  c.race(what, 'shop')
  c.present('office') // must be refused
  c.present('bank') // until its lists must say so, either answer is right
  c.issueByTap() // must be refused
  c.releaseByCall('physical') // must be refused
  c.release(what)
  c.present('shop')
}
export function show() { nation.citizen().present(__ITER % 2 ? 'bank' : 'shop') }
export function teardown() { nation.judge() }
export function handleSummary(data) { return nation.summary(data, __ENV.OUT) }
