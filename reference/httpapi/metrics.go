package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"rollcall.example/rollcall/reference/keys"
	"rollcall.example/rollcall/reference/store"
)

// Metrics are the service's counts. No label holds anything that a caller chose.
type Metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	inFlight   prometheus.Gauge
	signatures *prometheus.CounterVec
	published  *prometheus.HistogramVec
	sequence   prometheus.Gauge
	cards      *prometheus.CounterVec
}

// NewMetrics returns counts that stand at zero.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_http_requests_total", Help: "Requests answered."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "rollcall_http_request_duration_seconds", Help: "Time from a request's header to the end of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, []string{"route"}),
		inFlight:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "rollcall_http_requests_in_flight", Help: "Requests that are being handled."}),
		signatures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_signatures_total", Help: "Signatures made, by the signer's use."}, []string{"use"}),
		published: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "rollcall_status_lists_publish_duration_seconds", Help: "Time to bring the status lists up to date, by outcome: done, failed.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}}, []string{"outcome"}),
		sequence: prometheus.NewGauge(prometheus.GaugeOpts{Name: "rollcall_status_lists_register_sequence", Help: "Number of the change of the register up to which the published lists are true."}),
		cards:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_cards_refused_total", Help: "IC cards refused for their signer: revoked, expired, or unlisted, where no list of revoked signers is in its time."}, []string{"signer"}),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "rollcall_build_info", Help: "The version that runs.", ConstLabels: prometheus.Labels{"version": version}}, func() float64 { return 1 })
	m.registry.MustRegister(m.requests, m.seconds, m.inFlight, m.signatures, m.published, m.sequence, m.cards, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler writes them in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// WatchStore counts what a store says of itself.
func (m *Metrics) WatchStore(s store.Store) {
	count := func(name, help string, of func(store.Stats) uint64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(of(s.Stats())) }))
	}
	count("rollcall_store_commits_total", "Changes of the register acknowledged.", func(s store.Stats) uint64 { return s.Commits })
	count("rollcall_store_batches_total", "Commits of the database, each with one sync.", func(s store.Stats) uint64 { return s.Batches })
	count("rollcall_store_views_total", "Snapshots read.", func(s store.Stats) uint64 { return s.Views })
}

// WatchKeys tells when the certificate in force of each use ends.
func (m *Metrics) WatchKeys(r *keys.Ring) {
	for use := range r.Expiry() {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "rollcall_certificate_expiry_timestamp_seconds", Help: "When the certificate in force ends.", ConstLabels: prometheus.Labels{"use": string(use)},
		}, func() float64 { return float64(r.Expiry()[use].Unix()) }))
	}
}

// CardRefused counts an IC card that was refused for its signer.
func (m *Metrics) CardRefused(why string) { m.cards.WithLabelValues(why).Inc() }

// WatchCardLists tells when the first of the lists of revoked signers of IC cards is too
// old; the zero time: one is already, or is missing.
func (m *Metrics) WatchCardLists(until func() time.Time) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "rollcall_card_revocations_expiry_timestamp_seconds", Help: "When the first of the lists of revoked signers of IC cards is too old; 0: one is, or is missing.",
	}, func() float64 { return float64(max(until().Unix(), 0)) }))
}

// Published notes how long a publication of the status lists took, up to which
// change of the register they are true, and whether it failed.
func (m *Metrics) Published(took time.Duration, sequence uint64, err error) {
	outcome := "done"
	if err != nil {
		outcome = "failed"
	}
	m.published.WithLabelValues(outcome).Observe(took.Seconds())
	m.sequence.Set(float64(sequence))
}

// Signed counts a signature made for a use.
func (m *Metrics) Signed(use keys.Use) { m.signatures.WithLabelValues(string(use)).Inc() }

func (m *Metrics) begin() {
	if m != nil {
		m.inFlight.Inc()
	}
}

func (m *Metrics) end(x *exchange, took time.Duration) {
	if m == nil {
		return
	}
	m.inFlight.Dec()
	m.requests.WithLabelValues(x.name(), strconv.Itoa(x.status)).Inc()
	m.seconds.WithLabelValues(x.name()).Observe(took.Seconds())
}
