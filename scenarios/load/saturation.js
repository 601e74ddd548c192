// Ever more presentations, until the service does not keep up: what breaks first is
// its speed, never its answers.
import { town, right, number, seconds } from './nation.js'

const most = number('RATE', 800), vus = number('VUS', 300), steps = number('STEPS', 8), step = seconds('STEP', '10s')
const nation = town('saturation', vus, { saturates: true })

export const options = {
  scenarios: {
    rising: {
      executor: 'ramping-arrival-rate', timeUnit: '1s', startRate: Math.ceil(most / steps), preAllocatedVUs: Math.ceil(vus / 2), maxVUs: vus,
      stages: Array.from({ length: steps }, (_, i) => [{ target: Math.ceil(most * (i + 1) / steps), duration: '0s' }, { target: Math.ceil(most * (i + 1) / steps), duration: `${step}s` }]).flat(),
    },
  },
  thresholds: { ...right },
  setupTimeout: '10m', teardownTimeout: '10m',
}

export function setup() { nation.enter({ issue: 'tap' }) }
export default function () { nation.citizen().present('shop') }
export function teardown() { nation.judge() }
export function handleSummary(data) { return nation.summary(data, __ENV.OUT) }
