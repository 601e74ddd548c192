package openid4vp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/service/servicetest"
)

// Messages of relying parties and wallets, changed: what is asked, how a request is
// fetched, the answer outside and inside its encryption, and how a result is asked for.
// None makes the verifier fail, and one that is refused changes nothing, but that an answer
// that is not valid is the transaction's answer. A party asks for no more than it may, and
// what is accepted discloses what a card says and nothing else.
func FuzzMessages(f *testing.F) {
	var rehearsal servicetest.Rehearsal
	w := newWorld(f, servicetest.Rehearsing(&rehearsal))
	person := access.Caller{Role: access.Anyone}

	// One transaction is answered, on the device it was begun on.
	back := map[string]any{"elements": []string{"age_over_19"}, "redirect_uri": "https://shop.example/back"}
	done, _ := w.begin(shop, back)
	q := w.fetch(done, false)
	sent, err := url.Parse(fmt.Sprint(w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}).body["redirect_uri"]))
	check(f, err)
	code, ok := strings.CutPrefix(sent.Fragment, "response_code=")
	if !ok {
		f.Fatal(sent)
	}
	rehearsal.Begin()

	same, _ := w.begin(shop, back)
	open := w.age(shop)
	q = w.fetch(open, true)
	key, err := q.Metadata.Keys.Keys[0].Public()
	check(f, err)
	to := jwe.Recipient{Key: key, KeyID: q.Metadata.Keys.Keys[0].KeyID, Encryption: jwe.A256GCM}
	encrypt := func(t testing.TB, plain string) string {
		message, err := to.Encrypt(rand.NewChaCha8([32]byte{1}), nil, nil, []byte(plain))
		check(t, err)
		return message
	}
	plain := func(token map[string][]string) string {
		text, err := json.Marshal(map[string]any{"vp_token": token, "state": open})
		check(f, err)
		return string(text)
	}
	var secrets servicetest.Secrets
	secrets.Add("open", open)
	secrets.Add("same", same)
	secrets.Add("code", code)
	answers := []string{
		plain(map[string][]string{"rrc_mdoc": {secrets.Add("mdoc", w.showMdoc(q))}}),
		plain(map[string][]string{"rrc_sd_jwt": {secrets.Add("jwt", w.showJWT(q, w.binding(q), w.jwt.key))}}),
	}
	encrypted := secrets.Add("response", encrypt(f, answers[0]))

	// The order is that of the seeds that lie in testdata.
	const (
		ask = iota
		fetch
		fetchByID
		respond
		respondPlain
		respondSameDevice
		result
	)
	const steps = result + 1
	send := func(t testing.TB, n int, text string) answer {
		rec := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/", nil)
		by, size := person, int64(16<<10)
		if n == respondPlain {
			text = url.Values{"response": {encrypt(t, text)}}.Encode()
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		switch n {
		case ask:
			by, r.URL.Path = shop, "/transactions"
			r.Header.Set("Content-Type", "application/json")
		case fetch:
			r.URL.Path = "/vp/request/" + open
		case fetchByID:
			r.Method, r.URL.Path = "GET", "/vp/request/"+text
		case respond, respondPlain:
			size, r.URL.Path = 2<<20, "/vp/response/"+open
		case respondSameDevice:
			size, r.URL.Path = 2<<20, "/vp/response/"+same
		case result:
			by, r.Method, r.URL.Path, r.URL.RawQuery = shop, "GET", "/transactions/"+done, text
		}
		r.Body = http.MaxBytesReader(rec, httptest.NewRequest("POST", "/", strings.NewReader(text)).Body, size)
		w.mux.ServeHTTP(rec, r.WithContext(access.With(ctx, by)))
		a := answer{status: rec.Code, header: rec.Header(), text: rec.Body.String()}
		_ = json.Unmarshal(rec.Body.Bytes(), &a.body)
		return a
	}
	// said is the answer that would be kept of a transaction.
	type said struct {
		State, Error, Verdict string
		Shown                 []struct {
			Verdict string
			Claims  json.RawMessage
		}
	}
	kept := func(t testing.TB, wrote servicetest.Wrote) (s said) {
		t.Helper()
		if !wrote.Only("AddTicket", "UseNonce") || len(wrote.Tickets) != 1 || wrote.Tickets[0].Kind != "openid4vp" {
			t.Fatalf("written: %+v", wrote)
		}
		check(t, json.Unmarshal(wrote.Tickets[0].Body, &s))
		return s
	}

	allowed := [][]string{{"kr.go.rollcall.rrc.1", "age_over_19"}, {"age_equal_or_over", "19"}}
	dcql := `{"dcql_query":{"credentials":[{"id":"m","format":"mso_mdoc","meta":{"doctype_value":"kr.go.rollcall.rrc.1"},"claims":[{"path":["kr.go.rollcall.rrc.1","age_over_19"],"intent_to_retain":false}]},` +
		`{"id":"s","format":"dc+sd-jwt","meta":{"vct_values":["urn:kr:go:rollcall:rrc:1"]},"claims":[{"id":"a","path":["age_equal_or_over","19"],"values":[true]}],"claim_sets":[["a"]]}],"credential_sets":[{"options":[["m"],["s"]]}]}}`
	disclosed := map[string]bool{} // by good answers
	for _, s := range []struct {
		step int
		text string
	}{
		{ask, `{"elements":["age_over_19"],"purpose":"cigarettes"}`}, {ask, `{"elements":["age_over_19"],"intent_to_retain":true,"redirect_uri":"https://shop.example/back","progress":true}`}, {ask, dcql},
		{fetch, "wallet_nonce=mine"}, {fetchByID, open}, {respond, "error=access_denied&state=" + open},
		{respondSameDevice, "error=access_denied&state=" + same}, {respond, "response=" + encrypted},
		{respondPlain, answers[0]}, {respondPlain, answers[1]}, {respondPlain, `{"error":"access_denied","state":"` + open + `"}`}, {result, "response_code=" + code},
	} {
		if a := send(f, s.step, s.text); a.status >= 300 {
			f.Fatalf("%+v: %+v", s, a)
		}
		wrote := rehearsal.Take()
		if s.step == respondPlain {
			for _, one := range kept(f, wrote).Shown {
				if one.Verdict != "accepted" {
					f.Fatal(one)
				}
				disclosed[string(one.Claims)] = true
			}
		}
		f.Add(byte(s.step), secrets.Hide(s.text), byte(0), "x")
		for i, value := range servicetest.Fields(secrets.Hide(s.text)) {
			f.Add(byte(s.step), secrets.Hide(s.text), byte(i+1), value)
		}
	}
	if len(disclosed) != 2 || slices.ContainsFunc(slices.Collect(maps.Keys(disclosed)), func(c string) bool { return strings.Contains(c, "하늘") }) {
		f.Fatal(disclosed)
	}
	f.Add(byte(respondPlain), answers[0], byte(0), "x")
	f.Add(byte(respondPlain), answers[1], byte(0), "x")
	f.Add(byte(ask), `{"elements":["family_name"],"dcql_query":{}}`, byte(0), "x")
	f.Add(byte(respondPlain), `{"vp_token":{"rrc_mdoc":["o2d2ZXJzaW9u"],"rrc_sd_jwt":["a.b.c~"],"other":[]}}`, byte(0), "x")

	f.Fuzz(func(t *testing.T, n byte, text string, field byte, value string) {
		s := int(n) % steps
		text = secrets.Show(servicetest.Changed(text, field, value))
		if s == fetchByID && text != url.PathEscape(text) { // is not what a router takes for one part of a path
			return
		}
		a := send(t, s, text)
		wrote := rehearsal.Take()
		limit := 16 << 10
		if s >= respond && s <= respondSameDevice {
			limit = 2 << 20
		}
		switch {
		case a.status >= 500:
			t.Fatalf("%+v", a)
		case len(text) > limit && a.status < 300 && s != result:
			t.Fatalf("%d bytes are read", len(text))
		case a.status >= 300:
			if !wrote.Only() && (s < respond || kept(t, wrote).Verdict != "not-valid" || a.status != http.StatusBadRequest) {
				t.Fatalf("refused with %d %s, and written: %+v", a.status, a.text, wrote)
			}
			return
		}
		switch s {
		case ask:
			var asked struct {
				Elements []string
				Query    struct {
					Credentials []struct {
						Claims []struct{ Path []any }
					}
				} `json:"dcql_query"`
				Purpose string
			}
			check(t, json.Unmarshal([]byte(text), &asked))
			for _, e := range asked.Elements {
				if !slices.Contains(shop.Elements, e) {
					t.Errorf("the shop may ask for %q", e)
				}
			}
			for _, c := range asked.Query.Credentials {
				for _, claim := range c.Claims {
					path := fmt.Sprintf("%q", claim.Path)
					if !slices.ContainsFunc(allowed, func(p []string) bool { return strings.HasPrefix(path, strings.TrimSuffix(fmt.Sprintf("%q", p), "]")) }) {
						t.Errorf("the shop may ask for %s", path)
					}
				}
			}
			id, _ := a.body["transaction"].(string)
			if len(asked.Purpose) > 200 || !wrote.Only("AddTicket") || (len(id) == 43) != (len(wrote.Tickets) == 1) {
				t.Errorf("%+v, written: %+v", asked, wrote)
			}
		case fetch, fetchByID:
			if !wrote.Only() || s == fetchByID && text != open && text != same {
				t.Errorf("%q gets %s, written: %+v", text, a.text, wrote)
			}
		case respond, respondPlain, respondSameDevice:
			answer := kept(t, wrote)
			if answer.State == "declined" {
				if answer.Shown != nil || answer.Error == "" {
					t.Errorf("%q declines: %+v", text, answer)
				}
				if s == respondPlain {
					if !strings.Contains(text, "error") && !strings.Contains(text, `\u`) {
						t.Errorf("%q declines", text)
					}
				} else if form, err := url.ParseQuery(text); err != nil || !form.Has("error") || form.Get("state") != open && form.Get("state") != same {
					t.Errorf("%q declines", text)
				}
				return
			}
			if answer.Verdict != "accepted" || len(answer.Shown) == 0 || s == respondSameDevice {
				t.Errorf("%+v", answer)
			}
			for _, one := range answer.Shown {
				if !disclosed[string(one.Claims)] {
					t.Errorf("accepted: %s", one.Claims)
				}
			}
			if s == respondPlain && !bytes.Contains([]byte(text), []byte("vp_token")) && !strings.Contains(text, `\u`) {
				t.Errorf("%q is accepted", text)
			}
		case result:
			form, err := url.ParseQuery(text)
			if err != nil || form.Get("response_code") != code || !wrote.Only() || a.body["verdict"] != "accepted" {
				t.Errorf("%q gets %s", text, a.text)
			}
		}
	})
}
