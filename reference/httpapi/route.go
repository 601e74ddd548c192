package httpapi

import (
	"fmt"
	"net/http"
	"strings"

	"rollcall.example/rollcall/reference/access"
)

// Route is one row of the table from which the router is built and which the
// tests enumerate.
type Route struct {
	Name    string // of the operation: in metrics, traces, logs and the OpenAPI document
	Method  string
	Path    string // as http.ServeMux matches it: "/residents/{id}/reports"
	Roles   access.Role
	Body    int64 // bytes, at most; 0: none is read
	Handler http.Handler
}

// check says what is wrong with a table.
func check(table []Route) error {
	names := map[string]bool{}
	for _, r := range table {
		switch {
		case r.Name == "" || names[r.Name]:
			return fmt.Errorf("%s %s: the name %q is empty or another route's", r.Method, r.Path, r.Name)
		case r.Method == "" || !strings.HasPrefix(r.Path, "/"):
			return fmt.Errorf("%s: a route needs a method and a path", r.Name)
		case r.Roles == 0:
			return fmt.Errorf("%s: nobody may call it", r.Name)
		case r.Handler == nil:
			return fmt.Errorf("%s: it has no handler", r.Name)
		case r.Body == 0 && r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodDelete:
			return fmt.Errorf("%s: the size of its body is not limited", r.Name)
		}
		names[r.Name] = true
	}
	return nil
}
