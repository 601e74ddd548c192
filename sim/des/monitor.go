package des

import "math"

// Level is a whole number that changes over time, with its mean over time.
type Level struct {
	env     *Env
	now     int
	highest int
	area    float64
	since   Time // of the last change
	from    Time
}

// NewLevel makes a level of zero.
func (e *Env) NewLevel() *Level { return &Level{env: e, since: e.now, from: e.now} }

// Add changes the level.
func (l *Level) Add(by int) {
	l.pass()
	l.now += by
	l.highest = max(l.highest, l.now)
}

func (l *Level) pass() {
	l.area += float64(l.now) * float64(l.env.now-l.since)
	l.since = l.env.now
}

// Now is the level at this instant.
func (l *Level) Now() int { return l.now }

// Highest is the highest level so far.
func (l *Level) Highest() int { return l.highest }

// Mean is the level's mean over the time since the beginning or Restart.
func (l *Level) Mean() float64 {
	l.pass()
	return l.area / float64(l.env.now-l.from)
}

// Restart forgets what was measured, but not the level: after a warm-up.
func (l *Level) Restart() {
	l.pass()
	l.area, l.from, l.highest = 0, l.env.now, l.now
}

// Tally is the moments of a series of observations, updated one by one
// (Welford 1962).
type Tally struct {
	n            int
	mean, square float64
	Least, Most  float64
}

// Add observes a value.
func (t *Tally) Add(x float64) {
	if t.n == 0 {
		t.Least, t.Most = x, x
	}
	t.Least, t.Most = min(t.Least, x), max(t.Most, x)
	t.n++
	d := x - t.mean
	t.mean += d / float64(t.n)
	t.square += d * (x - t.mean)
}

// Count is the number of observations.
func (t *Tally) Count() int { return t.n }

// Mean is their mean.
func (t *Tally) Mean() float64 { return t.mean }

// Variance is the unbiased estimate of their variance.
func (t *Tally) Variance() float64 { return t.square / float64(t.n-1) }

// StandardError is that of the mean, if the observations are independent.
func (t *Tally) StandardError() float64 { return math.Sqrt(t.Variance() / float64(t.n)) }
