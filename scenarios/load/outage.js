// The service is killed under load, and started again after a while; what it had acknowledged must
// be there afterwards. rollcall live does the killing.
import { sleep } from 'k6'
import { town, always, number, seconds } from './nation.js'

const rate = number('RATE', 10), vus = number('VUS', 60), time = seconds('DURATION', '40s'), kills = number('KILLS', 2), down = seconds('DOWN', '1s')
const nation = town('outage', vus + 1)

export const options = {
  scenarios: {
    lives: {
      executor: 'ramping-arrival-rate', exec: 'life', timeUnit: '1s', startRate: 1, preAllocatedVUs: Math.ceil(vus / 2), maxVUs: vus,
      stages: [{ target: rate, duration: `${Math.ceil(time / 8)}s` }, { target: rate, duration: `${Math.ceil(time)}s` }],
    },
    outage: { executor: 'per-vu-iterations', exec: 'outage', vus: 1, iterations: 1, maxDuration: '2h' },
  },
  thresholds: { ...always },
  setupTimeout: '10m', teardownTimeout: '10m',
}

export function setup() { nation.enter({ issue: 'tap' }) }
export function life() {
  const c = nation.citizen()
  if (c.pending() && !c.settle(10)) return
  c.present('shop')
  if (__ITER % 2) {
    c.reportLost('physical')
    c.present('shop')
    c.release('physical')
  } else c.issueByTap()
}
export function outage() {
  for (let n = 0; n < kills; n++) {
    sleep(time / (kills + 1))
    nation.restart(down)
  }
}
export function teardown() { nation.judge() }
export function handleSummary(data) { return nation.summary(data, __ENV.OUT) }
