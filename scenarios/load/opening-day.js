// The days of a nation run, one after the other, some seconds each: as many come for
// a card, show one and report a loss as in its series.csv, all in one proportion, the
// busiest day at the rate RATE. FROM=2025-03-28 begins with that day.
import { town, always, unanswered, number, seconds } from './nation.js'

if (!__ENV.SERIES) throw new Error('opening-day takes its rates from a nation run: give SERIES=/path/to/series.csv (rollcall run announced writes one)')
const day = seconds('DAY', '5s'), peak = number('RATE', 20, true), vus = number('VUS', 100)

// days sums the regions of each date, and keeps those from the first busy one on.
function days(text) {
  const [head, ...rows] = text.trim().split(/\r?\n/).map((line) => line.split(','))
  const at = Object.fromEntries(head.map((name, i) => [name, i]))
  for (const name of ['date', 'issued_tap', 'issued_centre', 'verifications', 'reports_physical', 'reports_mobile']) {
    if (!(name in at)) throw new Error(`SERIES: ${__ENV.SERIES} has no column ${name}: it is no series.csv of rollcall run`)
  }
  const by = new Map()
  for (const row of rows) {
    const sum = by.get(row[at.date]) || { tap: 0, centre: 0, present: 0, report: 0 }
    sum.tap += Number(row[at.issued_tap])
    sum.centre += Number(row[at.issued_centre])
    sum.present += Number(row[at.verifications])
    sum.report += Number(row[at.reports_physical]) + Number(row[at.reports_mobile])
    by.set(row[at.date], sum)
  }
  const from = __ENV.FROM || '', all = [...by.keys()].sort().filter((date) => date >= from).map((date) => by.get(date))
  const first = all.findIndex((d) => d.tap + d.centre > 0)
  if (first < 0) throw new Error(`SERIES: on no day of ${__ENV.SERIES} is a card issued${from && ` from ${from} on`}`)
  return all.slice(first, first + number('DAYS', 12))
}

const series = days(open(__ENV.SERIES))
const total = (d) => d.tap + d.centre + d.present + d.report
const most = Math.max(...series.map(total))
// How many virtual users of those at VUS may be at work for each kind of citizen.
const shares = { tap: 0.6, centre: 0.6, present: 0.6, report: 0.2 }
const atOnce = Object.values(shares).reduce((sum, share) => sum + Math.ceil(vus * share), 0)
const nation = town('opening-day', atOnce, {}, Math.max(atOnce, 3 * vus))

// A rate is in iterations an hour, so that rare things are not rounded away.
const arrivals = (exec, of, share = shares[exec]) => ({
  executor: 'ramping-arrival-rate', exec, timeUnit: '1h', startRate: 0, preAllocatedVUs: Math.ceil(vus * share / 2), maxVUs: Math.ceil(vus * share),
  stages: series.flatMap((d) => [{ target: Math.round(of(d) / most * peak * 3600), duration: '0s' }, { target: Math.round(of(d) / most * peak * 3600), duration: `${day}s` }]),
})

export const options = {
  scenarios: {
    tap: arrivals('tap', (d) => d.tap), centre: arrivals('centre', (d) => d.centre),
    present: arrivals('present', (d) => d.present), report: arrivals('report', (d) => d.report),
  },
  thresholds: { ...always, ...unanswered(0.01), rollcall_issue_duration: ['p(95)<3000'] },
  setupTimeout: '10m', teardownTimeout: '10m',
}

export function setup() { nation.enter({ issue: 'tap' }) }
export function tap() { nation.citizen().issueByTap() }
export function centre() { nation.citizen().issueAtCentre() }
export function present() { nation.citizen().present('shop') }
export function report() {
  const c = nation.citizen()
  c.reportLost('physical')
  c.present('shop') // must be refused
  c.release('physical')
}
export function teardown() { nation.judge() }
export function handleSummary(data) { return nation.summary(data, __ENV.OUT) }
