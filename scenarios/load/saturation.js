// Ever more presentations, until the service does not keep up: what breaks first is
// its speed, never its answers.
import exec from 'k6/execution'
import { town, right, number, seconds } from './nation.js'

const most = number('RATE', 800), vus = number('VUS', 300), steps = number('STEPS', 8), step = seconds('STEP', '10s')
const nation = town('saturation', vus, { saturates: true })

const rate = (i) => Math.ceil(most * (i + 1) / steps)

export const options = {
  scenarios: {
    rising: {
      executor: 'ramping-arrival-rate', timeUnit: '1s', startRate: rate(0), preAllocatedVUs: Math.ceil(vus / 2), maxVUs: vus,
      stages: Array.from({ length: steps }, (_, i) => [{ target: rate(i), duration: '0s' }, { target: rate(i), duration: `${step}s` }]).flat(),
    },
  },
  thresholds: { ...right },
  setupTimeout: '10m', teardownTimeout: '10m',
}

export function setup() { nation.enter({ issue: 'tap' }) }
export default function () {
  const i = Math.floor((Date.now() - exec.scenario.startTime) / 1000 / step)
  nation.part(`at ${rate(Math.min(i, steps - 1))}/s`)
  nation.citizen().present('shop')
}
export function teardown() { nation.judge() }
export function handleSummary(data) { return nation.summary(data, __ENV.OUT) }
