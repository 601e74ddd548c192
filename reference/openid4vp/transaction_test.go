package openid4vp_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/keys"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
)

// Two replicas with the same file of keys: each transaction is begun at one, goes on at
// the other, and lasts while the secrets of its nonce change by themselves and by the
// operator.
func TestSecretsChangeWhileTransactionsLast(t *testing.T) {
	maker := keys.Maker{Random: rand.NewChaCha8([32]byte{1}), URL: "https://id.example", Hosts: []string{"id.example"}}
	all, err := maker.Found(servicetest.Noon.Add(-time.Hour))
	check(t, err)
	at := servicetest.Noon
	rings := [2]*keys.Ring{}
	for i := range rings {
		rings[i], err = keys.NewRing(all, func() time.Time { return at }, nil)
		check(t, err)
	}
	secret := func(i int) func(time.Time) [32]byte {
		return func(begun time.Time) [32]byte { return rings[i].Epoch(keys.Nonce, begun) }
	}
	w := newWorld(t, func(c *service.Config) { c.Nonces = secret(0) })
	other := w.Config
	other.Nonces = secret(1)
	second, err := service.New(ctx, other)
	check(t, err)
	replicas := [2]*http.ServeMux{w.replica(w.Verification, secret(0)), w.replica(second.Verification, secret(1))}
	turn := 0
	next := func() { turn++; w.mux = replicas[turn%2] }

	type open struct {
		id  string
		end time.Time
	}
	var pending []open
	answered, used := 0, map[[32]byte]bool{}
	for n := range 60 { // an hour, a transaction a minute, each answered almost five minutes later
		at = servicetest.Noon.Add(time.Duration(n) * time.Minute)
		w.Set(at)
		switch n {
		case 15: // the operator's next secret
			all, err = maker.Rotate(all, keys.Nonce, at, at.Add(10*time.Minute))
			check(t, err)
			check(t, rings[0].Load(all))
		case 22:
			check(t, rings[1].Load(all))
		}
		next()
		used[secret(turn%2)(at)] = true
		pending = append(pending, open{w.age(shop), at.Add(5 * time.Minute)})
		if n < 5 {
			continue
		}
		first := pending[0]
		pending = pending[1:]
		w.Set(first.end.Add(-time.Second))
		next()
		q := w.fetch(first.id, false)
		next()
		if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}); a.status != 200 {
			t.Fatalf("minute %d: %+v", n, a)
		}
		next()
		if a := w.outcome(shop, first.id); a.body["verdict"] != "accepted" {
			t.Fatalf("minute %d: %+v", n, a)
		}
		answered++
	}
	if answered != 55 || len(used) != 6 {
		t.Errorf("%d answered, under %d secrets", answered, len(used))
	}
	before := secret(0)(at)
	all, err = maker.Rotate(all, keys.Nonce, at, at.Add(time.Second))
	check(t, err)
	check(t, rings[0].Load(all))
	if later := at.Add(time.Hour); secret(0)(at) != before || secret(0)(later) == secret(1)(later) {
		t.Error("a new secret is not taken up, or changes what is begun")
	}
}

// What is asked travels in the identifier, whoever asks and however it ends: one commit
// for the answer, and one more for whoever wants to know of the fetch.
func TestNothingIsWrittenBeforeTheAnswer(t *testing.T) {
	w := newWorld(t)
	commits := func() uint64 { return w.Register.Stats().Commits }
	before := commits()
	id, a := w.begin(shop, map[string]any{"elements": []string{"age_over_19"}, "purpose": "cigarettes"})
	q := w.fetch(id, true)
	w.outcome(shop, id)
	if n := commits() - before; n != 0 {
		t.Errorf("%d commits before the answer", n)
	}
	if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	if n := commits() - before; n != 1 {
		t.Errorf("%d commits for a presentation", n)
	}
	if out := w.outcome(shop, id); out.body["purpose"] != "cigarettes" || out.body["verdict"] != "accepted" {
		t.Errorf("%+v", out)
	}
	if n := len(fmt.Sprint(a.body["authorization_request"])); n > 400 {
		t.Errorf("a QR code of %d bytes", n)
	}
}

func TestWhoWatchesIsToldOfTheFetch(t *testing.T) {
	w := newWorld(t)
	id, _ := w.begin(shop, map[string]any{"elements": []string{"age_over_19"}, "progress": true})
	if a := w.outcome(shop, id); a.body["state"] != "waiting" {
		t.Errorf("%+v", a)
	}
	w.fetch(id, false)
	q := w.fetch(id, false)
	if a := w.outcome(shop, id); a.body["state"] != "fetched" {
		t.Errorf("%+v", a)
	}
	if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	if a := w.outcome(shop, id); a.body["state"] != "answered" {
		t.Errorf("%+v", a)
	}
}
