// Whole lives at a low rate for a long time: what grows, leaks or runs out shows.
import { town, always, unanswered, number, seconds } from './nation.js'

const rate = number('RATE', 2), vus = number('VUS', 60), time = seconds('DURATION', '2h')
const nation = town('soak', vus, {}, 4 * vus)

export const options = {
  scenarios: {
    lives: {
      executor: 'ramping-arrival-rate', timeUnit: '1s', startRate: 1, preAllocatedVUs: Math.ceil(vus / 4), maxVUs: vus,
      stages: [{ target: rate, duration: '10s' }, { target: rate, duration: `${Math.ceil(time)}s` }],
    },
  },
  thresholds: { ...always, ...unanswered(0.001), rollcall_present_duration: ['p(99)<1000'], rollcall_issue_duration: ['p(99)<2000'] },
  setupTimeout: '10m', teardownTimeout: '30m',
}

export function setup() { nation.enter({ issue: 'tap' }) }
export default function () {
  const c = nation.citizen()
  c.present('shop')
  c.present('bank')
  switch (__ITER % 5) {
    case 0: c.newPhone(); c.issueByTap(); c.presentOld('shop'); break
    case 1: c.reportLost('physical'); c.present('office'); c.release('physical'); break
    case 2: c.reportLost('mobile'); c.present('office'); c.release('mobile'); break
    case 3: c.newCard(); c.issueAtCentre(); break
    default: c.showPlastic(); c.look()
  }
  c.present('shop')
}
export function teardown() { nation.judge() }
export function handleSummary(data) { return nation.summary(data, __ENV.OUT) }
