package loadgen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/sim/demo"
	"rollcall.example/rollcall/sim/oracle"
)

// answering is a way out at whose end there is no service.
func answering(f func(*http.Request) (status int, body any)) *http.Client {
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		status, body := f(r)
		if err, ok := body.(error); ok {
			return nil, err
		}
		text, ok := body.([]byte)
		if !ok {
			text, _ = json.Marshal(body)
		}
		return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(text)), Request: r}, nil
	})}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// What nobody could tell at the moment the oracle tells from the whole history.
func TestWhatTheCrowdSawIsJudgedAsAWhole(t *testing.T) {
	c := alone()
	crowd := c.crowd
	crowd.auditor = &desk{Party: Party{ID: "auditor", Key: demo.Key("demo-auditor")}, crowd: crowd}
	crowd.o.Service = "https://id.example"
	var asked []string
	crowd.o.HTTP = answering(func(r *http.Request) (int, any) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		switch r.URL.Path {
		case "/parties/token":
			return 200, map[string]any{"access_token": "t", "expires_in": 300}
		case "/status-lists":
			return 200, map[string]any{"status_lists": []string{}}
		case "/audit":
			return 200, []byte{}
		}
		return 404, nil
	})
	crowd.note(func(h *oracle.History) {
		h.Policy = oracle.Policy{PublishInterval: time.Second}
		h.Residents = []oracle.Resident{{Citizen: "1", Document: "A"}}
	})
	c.make(t.Context(), c.reported(t, receipt{Sequence: 7, At: begin}))
	look := oracle.Presentation{Citizen: "1", Verifier: "clerk", Kind: "counter", Document: "A", Entitled: true, Begin: crowd.Stamp(), Outcome: oracle.Accepted}
	look.End = crowd.Stamp()
	crowd.note(func(h *oracle.History) { h.Presentations = append(h.Presentations, look) })
	v, h, err := crowd.Judge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if v.ByProperty["S3"].Violations != 1 || len(h.Reports) != 1 || len(v.Findings) == 0 || v.Findings[0].Citizen != "1" {
		t.Errorf("%+v", v)
	}
	if got := strings.Join(asked, ", "); got != "GET /status-lists, POST /parties/token, GET /audit" {
		t.Error(got)
	}
}

// A wallet is told places, not numbers: those are taken from the log, or missed.
func TestAnIssueGetsTheNumberOfItsEntry(t *testing.T) {
	const list = "https://id.example/status-lists/0"
	at := func(index uint64) oracle.Copy { return oracle.Copy{Status: oracle.StatusRef{URI: list, Index: index}} }
	line := func(sequence, person uint64, copies string) string {
		return fmt.Sprintf(`{"previous":"","hash":"","entry":{"sequence":%d,"event":"credential-issued","person":%d,"until":"2029-11-25T00:00:00Z","copies":[%s]}}`, sequence, person, copies)
	}
	export := []byte(line(5, 1, `{"list":0,"index":10},{"list":0,"index":11},{"list":0,"index":12}`) + "\n" + line(6, 2, `{"list":0,"index":20}`) + "\n")
	c := alone().crowd
	app := func(citizen string, copies ...oracle.Copy) oracle.Application {
		return oracle.Application{Call: oracle.Call{Citizen: citizen, Granted: true}, Copies: copies}
	}
	c.history.Applications = []oracle.Application{app("1", at(10), at(11)), app("2", at(10)), app("1", at(10), at(99)), {Call: oracle.Call{Citizen: "3"}}, app("1")}
	if err := c.number(export); err != nil {
		t.Fatal(err)
	}
	got := c.history.Applications
	if got[0].Sequence != 5 || len(got[0].Copies) != 3 || got[0].Copies[2].Status.Index != 12 {
		t.Errorf("with its entry: %+v", got[0])
	}
	if got[1].Sequence < 1_000_000 {
		t.Errorf("places of somebody else: %+v", got[1])
	}
	if got[2].Sequence != 5 || len(got[2].Copies) != 2 {
		t.Errorf("other places than the log says are left for the oracle: %+v", got[2])
	}
	if got[3].Sequence != 0 {
		t.Errorf("refused: %+v", got[3])
	}
	if got[4].Sequence < 1_000_000 || got[4].Sequence == got[1].Sequence {
		t.Errorf("granted without a copy: %+v", got[4])
	}
	if err := c.number([]byte("{}\nnonsense\n")); err == nil || !strings.Contains(err.Error(), "audit export, line 1") {
		t.Error(err)
	}
}
