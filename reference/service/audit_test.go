package service_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/service/servicetest"
)

// S10: every transition has its entry, and a changed log is found out.

// export returns the audit log as an outsider gets it.
func (w *world) export() (entries []audit.Entry, lines []string) {
	w.t.Helper()
	var out bytes.Buffer
	must(w.t, audit.Export(ctx, w.db, 1, &out))
	for line := range strings.Lines(out.String()) {
		var l audit.Line
		var e audit.Entry
		must(w.t, json.Unmarshal([]byte(line), &l))
		must(w.t, json.Unmarshal(l.Entry, &e))
		entries, lines = append(entries, e), append(lines, line)
	}
	return entries, lines
}

func count(t *testing.T, w *world) map[string]int {
	events := map[string]int{}
	entries, _ := w.export()
	for _, e := range entries {
		events[e.Event]++
	}
	return events
}

func TestS10EveryTransitionHasExactlyOneEntry(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	r := c.report(callCentre, lifecycle.PhysicalLost)
	c.release(clerk, lifecycle.PhysicalLost, r.Sequence)
	c.release(clerk, lifecycle.PhysicalLost, r.Sequence) // refused: no transition
	c.newCard("B1")
	entries, _ := w.export()
	type line struct{ event, actor, role, reason, before, after string }
	var got []line
	short := func(s audit.State) string {
		var out []string
		for _, part := range []struct {
			is   bool
			name string
		}{{s.Card, "card"}, {s.Credential, "mobile"}, {s.PhysicalLost, "lost"}, {s.MobileLost, "phone lost"}, {s.Administrative, "admin"}} {
			if part.is {
				out = append(out, part.name)
			}
		}
		return strings.Join(out, "+")
	}
	for i, e := range entries {
		if e.Sequence != uint64(i+1) || !e.At.Equal(servicetest.Noon) || e.Person != uint64(c.ID) {
			t.Errorf("entry %d: %+v", i+1, e)
		}
		got = append(got, line{e.Event, e.Actor, e.Role, e.Reason, short(e.Before), short(e.After)})
	}
	want := []line{
		{"resident-registered", "registrar-1", "registrar", "seed", "", ""},
		{"card-issued", "registrar-1", "registrar", "seed", "", "card"},
		{"credential-issued", fmt.Sprint(c.ID), "citizen", "applied by tap", "card", "card+mobile"},
		{"report-physical-lost", "operator-1", "call-centre", "it is gone", "card+mobile", "card+mobile+lost"},
		{"release-physical", "clerk-1", "clerk", "it was found", "card+mobile+lost", "card+mobile"},
		{"card-issued", "clerk-1", "clerk", "re-issue", "card+mobile", "card"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}

func TestS10ARemovedChangedOrReorderedEntryIsFound(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.holder()
	}
	head, err := audit.Verify(ctx, w.db)
	must(t, err)
	_, lines := w.export()
	if h, err := audit.VerifyExport(strings.NewReader(strings.Join(lines, "")), head); err != nil || h != head {
		t.Fatalf("the export itself: %v, %v", h, err)
	}
	for _, test := range []struct {
		name string
		do   func([]string) []string
		at   uint64
	}{
		{"first removed", func(l []string) []string { return l[1:] }, 1},
		{"one removed", func(l []string) []string { return slices.Delete(l, 4, 5) }, 5},
		{"last removed", func(l []string) []string { return l[:8] }, 9},
		{"reordered", func(l []string) []string { l[3], l[4] = l[4], l[3]; return l }, 4},
		{"repeated", func(l []string) []string { return slices.Insert(l, 5, l[4]) }, 5},
		{"actor changed", func(l []string) []string {
			l[6] = strings.Replace(l[6], "registrar-1", "registrar-2", 1)
			return l
		}, 7},
		{"number changed", func(l []string) []string {
			l[6] = strings.Replace(l[6], `"sequence":7`, `"sequence":8`, 1)
			return l
		}, 7},
		{"hash changed", func(l []string) []string {
			l[6] = strings.Replace(l[6], `"hash":"`, `"hash":"00`, 1)
			return l
		}, 7},
		{"previous changed", func(l []string) []string {
			i := strings.Index(l[6], `"previous":"`) + len(`"previous":"`)
			l[6] = l[6][:i] + "00" + l[6][i+2:]
			return l
		}, 7},
		{"written anew", func([]string) []string {
			other := newWorld(t)
			for range 3 {
				other.resident()
				other.holder()
			}
			_, l := other.export()
			return l[:9]
		}, 9},
		{"no line", func(l []string) []string { l[2] = "{}\n"; return l }, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := audit.VerifyExport(strings.NewReader(strings.Join(test.do(slices.Clone(lines)), "")), head)
			var fault *audit.Fault
			if !errors.As(err, &fault) || fault.Sequence != test.at {
				t.Errorf("found: %v; want entry %d", err, test.at)
			}
		})
	}
}
