package httpapi

import (
	"context"
	"net/http"

	"rollcall.example/rollcall/reference/web"
)

// Health answers whether the service lives and can serve, and what it counts.
type Health struct {
	// Checks are asked in order; the service is ready when none fails.
	Checks []ReadyCheck
	Counts http.Handler // of Metrics
}

// ReadyCheck is one thing without which the service cannot serve.
type ReadyCheck struct {
	Name string
	Fail func(context.Context) error // why it cannot
}

// Alive answers as long as the process does.
func (h *Health) Alive(w http.ResponseWriter, _ *http.Request) error {
	web.JSON(w, http.StatusOK, struct {
		Status string `json:"status"`
	}{"alive"})
	return nil
}

// Ready says whether a balancer may send requests here.
func (h *Health) Ready(w http.ResponseWriter, r *http.Request) error {
	for _, c := range h.Checks {
		if err := c.Fail(r.Context()); err != nil {
			return web.Refuse(http.StatusServiceUnavailable, "not_ready", "Not ready: %s.", c.Name).With("Retry-After", "1").Because(err)
		}
	}
	web.JSON(w, http.StatusOK, struct {
		Status string `json:"status"`
	}{"ready"})
	return nil
}

// Metrics are the counts in Prometheus' text format.
func (h *Health) Metrics(w http.ResponseWriter, r *http.Request) error {
	h.Counts.ServeHTTP(w, r)
	return nil
}
