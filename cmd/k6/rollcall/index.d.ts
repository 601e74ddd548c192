/**
 * k6/x/rollcall: emulated citizens load a running Rollcall service, and every answer
 * is checked.
 *
 *     import rollcall from 'k6/x/rollcall'
 *     const nation = rollcall.open({ scenario: 'announced', service: __ENV.SERVICE, citizens: 100 })
 *     export function setup() { nation.enter() }
 *     export default function () { const c = nation.citizen(); c.issueByTap(); c.present('bank') }
 *     export function teardown() { nation.judge() }
 *     export function handleSummary(data) { return nation.summary(data, __ENV.OUT) }
 */
declare module 'k6/x/rollcall' {
  export interface Options {
    /** URL of the service, which runs with --demo. */
    service: string
    /** Scenario from which the population's settings come: a name that is built in, or a file. Default "announced". */
    scenario?: string
    /** PEM text of the service's authority: open('/path/to/authority.pem'). Default: the system's roots. */
    ca?: string
    /** How many citizens; at least as many as there may be virtual users. Default 100. */
    citizens?: number
    /** Ordinal of the first of them: another run against the same register begins behind those of the one before. */
    first?: number
    /** Seed of cards, phones and faces. */
    seed?: number
    /** How often the service publishes its lists, as serve --status-every. Default "30s". */
    statusEvery?: string
    /** How long the bank keeps a list, as serve --status-ttl. Default "15m". */
    ttl?: string
    /** What building, fetching and clocks may add to both. Default "5s". */
    allowance?: string
    /** Where to have the service killed and started again, and to read its processor time; rollcall live gives it. */
    control?: string
    /** Name of the load, for the result. */
    load?: string
    /** Command that repeats it, for the result. */
    command?: string
    /** The load is meant to go beyond what the service can do: iterations that could not begin do not make it invalid. */
    saturates?: boolean
  }

  export interface Answer {
    citizen: string
    did: string
    granted: boolean
    /** Of a card that was shown: "accepted", "suspended", "not-valid". */
    verdict: string
    /** Of a refusal. */
    reason: string
    /** There was no answer, or none that decides (429, 5xx). */
    unknown: boolean
    error: string
    /** Why the citizen's own history does not allow this answer; empty: it does. */
    wrong: string
    ok: boolean
    ms: number
    /** What the citizen did last, if the answer is wrong. */
    history: string
  }

  export type Place = 'office' | 'shop' | 'bank'
  export type Cause = 'physical' | 'mobile' | 'administrative'

  export interface Citizen {
    name(): string
    history(): string
    issueByTap(): Answer
    issueAtCentre(): Answer
    /** Scan a clerk's code that is used: must be refused. */
    scanAgain(): Answer
    /** Scan a clerk's code when its time is over (channels.offer_lifetime of the scenario, 90 s): must be refused. The wait is not in ms. */
    scanLate(): Answer
    /** Scan a code that a clerk has made for another citizen: must be refused. */
    scanCodeOf(other: Citizen): Answer
    /** Must be refused. */
    issueToAnotherFace(): Answer
    /** Tap the plastic card before the one in force: must be refused. */
    issueByOldCard(): Answer
    /** An office and a shop ask the service; a bank goes by lists. */
    present(place: Place): Answer
    /** What is on the phone before the one in use: must be refused. */
    presentOld(place: Place): Answer
    showPlastic(): Answer
    look(): Answer
    reportLost(cause: Cause): Answer
    /** One report twice at once, with one key. */
    reportTwice(cause: Cause): Answer
    /** Report while the card is shown over and over: the report's answer, then those of the presentations. */
    race(cause: Cause, place: Place): Answer[]
    release(cause: Cause): Answer
    /** Must be refused. */
    releaseByCall(cause: Cause): Answer
    /** Must do nothing. */
    releaseOlder(cause: Cause): Answer
    newPhone(): void
    newCard(): Answer
    pending(): boolean
    /** Ask again for what has had no answer; false: there is none within so many seconds. */
    settle(seconds: number): boolean
  }

  export interface Nation {
    /** In setup(): make cards, phones and faces, and enter the citizens. With issue each gets a mobile card, too. */
    enter(options?: { issue?: 'tap' | 'centre'; together?: number }): void
    /** A citizen of this virtual user's own until its next iteration; with a number, that one, whoever else has them. */
    citizen(number?: number): Citizen
    size(): number
    /** The answers of this virtual user belong to this part of the load from now on: each part has figures of its own. */
    part(name: string): void
    /** Kill the service, leave it down for some seconds, and start it again (rollcall live). */
    restart(down?: number): void
    /** In teardown(): the oracle judges the whole history. Returns violations and wrong answers. */
    judge(): number
    /** For handleSummary(): result.json, report.html and junit.xml in a folder, and a summary. */
    summary(data: object, folder?: string): Record<string, string>
  }

  export function open(options: Options): Nation
  const rollcall: { open: typeof open }
  export default rollcall
}
