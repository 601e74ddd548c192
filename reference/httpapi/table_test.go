package httpapi

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/web"
)

var update = flag.Bool("update", false, "write testdata/routes.txt anew: read the difference")

// What may be called by whom is a decision: a change of it is seen here.
func TestTheTableIsTheOneThatWasReviewed(t *testing.T) {
	var got bytes.Buffer
	table := (&API{}).table()
	slices.SortStableFunc(table, func(a, b Route) int { return strings.Compare(a.Path, b.Path) })
	for _, r := range table {
		session := ""
		if r.Session {
			session = ", by session too"
		}
		fmt.Fprintf(&got, "%-6s %-46s %-28s %7d  %s%s\n", r.Method, r.Path, r.Name, r.Body, r.Roles, session)
	}
	const golden = "testdata/routes.txt"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the table differs from %s (%v); after an intended change: go test ./reference/httpapi -update\n%s", golden, err, got.Bytes())
	}
}

func TestTheTableIsWhole(t *testing.T) {
	if err := check((&API{}).table()); err != nil {
		t.Error(err)
	}
}

func TestAWrongTableIsRefused(t *testing.T) {
	good := Route{Name: "a", Method: "POST", Path: "/a", Roles: access.Clerk, Body: 1, Handler: web.Problem(nil)}
	for what, c := range map[string]struct {
		wrong func(*Route)
		want  string
	}{
		"no name":          {func(r *Route) { r.Name = "" }, "empty"},
		"no method":        {func(r *Route) { r.Method = "" }, "method and a path"},
		"relative path":    {func(r *Route) { r.Path = "a" }, "method and a path"},
		"nobody":           {func(r *Route) { r.Roles = 0 }, "nobody may call it"},
		"no handler":       {func(r *Route) { r.Handler = nil }, "wrap it"},
		"a mute handler":   {func(r *Route) { r.Handler = http.NotFoundHandler() }, "wrap it"},
		"an endless body":  {func(r *Route) { r.Body = 0 }, "not limited"},
		"the name twice":   {nil, "another route's"},
		"the method twice": {nil, "another route's"},
	} {
		table := []Route{good}
		switch what {
		case "the name twice":
			again := good
			again.Path = "/b"
			table = append(table, again)
		case "the method twice":
			again := good
			again.Name = "b"
			table = append(table, again)
		default:
			c.wrong(&table[0])
		}
		if _, err := build(table, options()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := build([]Route{good}, options()); err != nil {
		t.Error(err)
	}
}

var variable = regexp.MustCompile(`\{[^}$]*\}`)

// Every route × every role, by every way in which a role can be proven.
func TestEveryRouteIsOpenToItsRolesAloneHoweverTheyAreProven(t *testing.T) {
	table := (&API{}).table()
	var reached string
	for i := range table {
		r := &table[i]
		name := r.Name
		r.Handler = web.Problem(func(w http.ResponseWriter, _ *http.Request) error {
			reached = name
			w.WriteHeader(http.StatusNoContent)
			return nil
		})
	}
	s, err := build(table, options())
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, r := range table {
		target := strings.ReplaceAll(variable.ReplaceAllString(r.Path, "1"), "{$}", "")
		for _, role := range access.Roles {
			for _, way := range []string{"Bearer", "DPoP", "certificate", "cookie"} {
				q := httptest.NewRequest(r.Method, target, nil)
				as(q, way, role)
				w := httptest.NewRecorder()
				reached = ""
				s.ServeHTTP(w, q)
				calls++

				proven := role
				if way == "cookie" && !r.Session || way == "certificate" && r.Session {
					proven = access.Anyone
				}
				want := http.StatusNoContent
				switch {
				case r.Roles&(access.Anyone|proven) != 0:
				case proven == access.Anyone:
					want = http.StatusUnauthorized
				default:
					want = http.StatusForbidden
				}
				if got := w.Code; got != want || (reached == r.Name) != (want == http.StatusNoContent) {
					t.Errorf("%s by %v with %s: %d, want %d; reached %q", r.Name, role, way, got, want, reached)
				}
				if want == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
					t.Errorf("%s: a 401 does not say how to prove who one is", r.Name)
				}
			}
		}
	}
	if calls < len(table)*len(access.Roles)*4 || len(table) < 3 {
		t.Errorf("only %d calls to %d routes", calls, len(table))
	}
}

// A credential that is no good is never passed over, wherever anybody is asked
// who they are.
func TestAWrongCredentialIsRefusedEverywhere(t *testing.T) {
	table := (&API{}).table()
	for i := range table {
		table[i].Handler = web.Problem(func(w http.ResponseWriter, _ *http.Request) error { return nil })
	}
	s, err := build(table, options())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range table {
		for _, wrong := range []string{"Bearer wrong", "DPoP wrong", "Bearer", "Basic YTpi", "", "clerk"} {
			q := httptest.NewRequest(r.Method, strings.ReplaceAll(variable.ReplaceAllString(r.Path, "1"), "{$}", ""), nil)
			q.Header.Set("Authorization", wrong)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, q)
			if open := r.Roles == access.Anyone; (w.Code == http.StatusUnauthorized) == open {
				t.Errorf("%s with %q: %d", r.Name, wrong, w.Code)
			}
		}
	}
}
