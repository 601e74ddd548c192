package httpapi

import (
	"fmt"
	"net/http"
	"strings"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/web"
)

// Route is one row of the table from which the router is built and which the
// tests enumerate.
type Route struct {
	Name   string // of the operation: in metrics, traces, logs and the OpenAPI document
	Method string
	Path   string // as http.ServeMux matches it: "/residents/{id}/reports"
	// Roles may call it. With Anyone among them nobody is refused; Anyone alone
	// means that nobody is asked who they are.
	Roles access.Role
	// Session: it belongs to the console, and may be called by the console's
	// cookie. A cookie counts for nothing elsewhere, and a certificate nothing here.
	Session bool
	// Long: its answer may take longer than others may, in the writing of it.
	Long bool
	// Spends: its handler marks a wallet's proof as used, in the commit that it makes.
	Spends  bool
	Body    int64        // bytes, at most; 0: none is read
	Handler http.Handler // of web.OAuth, web.Problem, or another web.Refuser
}

// check says what is wrong with a table.
func check(table []Route) error {
	names, places := map[string]bool{}, map[string]bool{}
	for _, r := range table {
		place := r.Method + " " + r.Path
		_, refuses := r.Handler.(web.Refuser)
		switch {
		case r.Name == "" || names[r.Name]:
			return fmt.Errorf("%s: the name %q is empty or another route's", place, r.Name)
		case r.Method == "" || !strings.HasPrefix(r.Path, "/"):
			return fmt.Errorf("%s: a route needs a method and a path", r.Name)
		case places[place]:
			return fmt.Errorf("%s: %s is another route's", r.Name, place)
		case r.Roles == 0:
			return fmt.Errorf("%s: nobody may call it", r.Name)
		case !refuses:
			return fmt.Errorf("%s: its handler does not say how errors are answered (wrap it by web.OAuth or web.Problem)", r.Name)
		case r.Body == 0 && r.Method != http.MethodGet && r.Method != http.MethodDelete:
			return fmt.Errorf("%s: the size of its body is not limited", r.Name)
		}
		names[r.Name], places[place] = true, true
	}
	return nil
}
