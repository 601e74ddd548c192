package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/world"
)

// twoPhonesPlace is the built-in world with a service that leaves old phones
// their cards.
func twoPhonesPlace(t *testing.T) *Place {
	p := *place(t)
	p.plant = func() world.Plant {
		return world.Plant{Store: func(s store.Store) store.Store {
			return &lying{Store: s, tx: func(tx store.Tx) store.Tx { return &twoPhones{Tx: tx} }}
		}}
	}
	return &p
}

// A finding is kept as JSON, and its campaign shows the same again, word by word.
func TestAFindingCanBeReplayed(t *testing.T) {
	p := twoPhonesPlace(t)
	r, err := Seeds(t.Context(), p, Options{First: 1, Count: 1, Length: 40, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	var f *Finding
	for _, x := range r.Findings {
		if x.Property == "S7" {
			f = x
		}
	}
	if f == nil || r.Violations == 0 || r.ByProperty["S7"].Violations == 0 {
		t.Fatalf("%+v", r)
	}
	kept, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadFinding(bytes.NewReader(kept))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Replay(t.Context(), p, read)
	if err != nil || again == nil {
		t.Fatal(again, err)
	}
	if a, b := printed(f), printed(again); a != b {
		t.Errorf("first:\n%s\nthen:\n%s", a, b)
	}
	text := printed(again)
	for _, want := range []string{"S7 is violated, citizen ", ", sequence ", " operations matter (seed ", "issue-tap", "demanded", "!"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from\n%s", want, text)
		}
	}
	if now, err := Replay(t.Context(), place(t), read); err != nil || now != nil {
		t.Errorf("the real service: %v, %v", now, err)
	}
}

// Campaigns in which something was wrong once: the judge, the driver, the service.
func TestWhatWasMendedHolds(t *testing.T) {
	files, err := filepath.Glob("testdata/mended/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			file, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			f, err := ReadFinding(file)
			if err != nil {
				t.Fatal(err)
			}
			o, err := Run(t.Context(), place(t), f.Campaign)
			if err != nil {
				t.Fatal(err)
			}
			if got := violated(o.Verdict); got != nil || o.Done < len(f.Campaign.Operations) {
				t.Errorf("%v: %v; %d operations done", got, o.Verdict.Findings, o.Done)
			}
		})
	}
}

func TestAFileThatIsNoFindingIsRefused(t *testing.T) {
	for _, text := range []string{"", "{", `{"nonsense": 1}`, "[]"} {
		if _, err := ReadFinding(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "not a finding of rollcall chaos") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// How many campaigns run at a time changes nothing.
func TestTheResultDoesNotDependOnTheWorkers(t *testing.T) {
	var first *Result
	for _, workers := range []int{1, 3} {
		r, err := Seeds(t.Context(), place(t), Options{First: 21, Count: 3, Length: 60, Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = r
		} else if !reflect.DeepEqual(first, r) {
			t.Errorf("%+v\n%+v", first, r)
		}
		if len(r.Untested) > 0 || r.Violations > 0 || r.Campaigns != 3 || len(r.ByProperty) != len(oracle.Properties) {
			t.Errorf("%+v", r)
		}
	}
}

// Who has to stop keeps what there is.
func TestAnInterruptedRunKeepsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := Seeds(ctx, twoPhonesPlace(t), Options{First: 1, Length: 40, Workers: 1, Done: func(n int) {
		if n == 2 {
			cancel()
		}
	}})
	if err != nil || r.Campaigns != 2 || !r.Interrupted || r.Violations == 0 || len(r.Findings) == 0 || len(r.Findings[0].Campaign.Operations) < 40 {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestARunOverTimeEndsWhenItIsOver(t *testing.T) {
	left := 2
	r, err := Seeds(t.Context(), place(t), Options{First: 1, Length: 20, Workers: 1, More: func() bool { left--; return left >= 0 }})
	if err != nil || r.Campaigns != 2 || r.Interrupted {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestDurationsAreWrittenAsPeopleWriteThem(t *testing.T) {
	b, err := json.Marshal(Op{ID: 1, Do: "pass", For: Duration(90 * time.Second)})
	if err != nil || string(b) != `{"id":1,"do":"pass","for":"1m30s"}` {
		t.Errorf("%s, %v", b, err)
	}
	var o Op
	if err := json.Unmarshal([]byte(`{"do":"pass","for":"soon"}`), &o); err == nil {
		t.Error("soon is no duration")
	}
}
