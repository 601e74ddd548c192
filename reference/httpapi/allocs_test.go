//go:build !race

package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel/trace/noop"
)

// Allocations of a request to a public route, with the two of its recorder and the
// handler's own. The race detector makes more, so this is not built with it.
const allocsRequest = 30

func TestARequestAllocatesNoMoreThanIsStated(t *testing.T) {
	o := options()
	o.Traces = noop.NewTracerProvider() // as serve has it unless it is told where to send spans
	s := router(t, o, func(w http.ResponseWriter, r *http.Request) error { w.WriteHeader(http.StatusNoContent); return nil })
	r := httptest.NewRequest("GET", "/public", nil)
	if n := testing.AllocsPerRun(50, func() { s.ServeHTTP(httptest.NewRecorder(), r) }); n > allocsRequest {
		t.Errorf("%.0f allocations, stated are %d", n, allocsRequest)
	}
}
