// A few citizens do everything once: enough to find a service that answers wrongly.
import { sleep } from 'k6'
import { town, always, unanswered, bound, number } from './nation.js'

const vus = number('VUS', 4)
const nation = town('smoke', 3 * vus) // one in a life, two who are late

export const options = {
  scenarios: {
    lives: { executor: 'per-vu-iterations', vus, iterations: number('ITERATIONS', 2), maxDuration: '10m', exec: 'life' },
    late: { executor: 'per-vu-iterations', vus, iterations: 1, maxDuration: '30m', exec: 'late' },
  },
  thresholds: { ...always, ...unanswered(0.01), rollcall_present_duration: ['p(95)<2000'] },
  setupTimeout: '5m', teardownTimeout: '5m',
}

export function setup() { nation.enter() }

// life is a card from its issue to its end.
export function life() {
  const c = nation.citizen()
  if ((__VU + __ITER) % 2) {
    c.issueAtCentre()
    c.scanAgain() // must be refused
  } else c.issueByTap()
  c.present('office')
  c.present('shop')
  c.present('bank')
  c.race('physical', 'shop')
  c.present('shop') // must be refused, as what follows
  c.present('office')
  c.issueByTap()
  c.showPlastic()
  c.releaseByCall('physical')
  c.release('physical')
  c.present('shop')
  c.reportLost('administrative')
  c.present('shop') // must be refused
  c.release('administrative')
  c.reportTwice('mobile')
  c.present('shop') // must be refused
  c.showPlastic() // must not
  c.release('mobile')
  c.present('office')
  c.reportLost('mobile')
  c.reportLost('physical')
  c.release('physical')
  c.present('shop') // must still be refused
  c.newPhone()
  c.issueByTap()
  c.presentOld('shop') // must be refused
  c.issueToAnotherFace() // must be refused
  c.newCard()
  c.present('shop') // must be refused
  c.issueByOldCard() // must be refused
  c.look()
}

// late shows a lost card, and one that was found again, when everybody must know.
export function late() {
  const lost = nation.citizen(), found = nation.citizen()
  for (const c of [lost, found]) {
    c.issueByTap()
    c.present('bank')
    c.reportLost('physical')
  }
  found.release('physical')
  lost.scanCodeOf(found) // must be refused
  lost.present('shop')
  sleep(bound + 1)
  lost.present('bank') // must be refused
  found.present('bank')
  found.present('shop')
  lost.release('physical')
}

export function teardown() { nation.judge() }
export function handleSummary(data) { return nation.summary(data, __ENV.OUT) }
