package servetest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"rollcall.example/rollcall/reference/mdoc"
)

// asked is what verifiers asked for, by transaction.
type asked struct {
	mu       sync.Mutex
	elements map[string][]string
}

// verdict is what a verifier is told, as far as it is changed.
type verdict map[string]any

// shown calls f with each card that was shown.
func (v verdict) shown(f func(card map[string]any)) {
	cards, _ := v["credentials"].([]any)
	for _, one := range cards {
		if card, ok := one.(map[string]any); ok {
			f(card)
		}
	}
}

// claims calls f with the elements of each mdoc that was accepted.
func (v verdict) claims(f func(elements map[string]any)) {
	v.shown(func(card map[string]any) {
		all, _ := card["claims"].(map[string]any)
		if of, ok := all[mdoc.Namespace].(map[string]any); ok {
			f(of)
		}
	})
}

const transactionsAt = "/vp/transactions"

// answers changes what verifiers are told of those who showed their cards.
func answers(change func(v verdict, asked []string)) func(http.Handler) http.Handler {
	return func(service http.Handler) http.Handler {
		a := &asked{elements: map[string][]string{}}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, of := strings.CutPrefix(r.URL.Path, transactionsAt+"/")
			switch {
			case r.URL.Path == transactionsAt:
				var q struct {
					Elements []string `json:"elements"`
				}
				body, _ := io.ReadAll(r.Body)
				_ = json.Unmarshal(body, &q)
				r.Body = io.NopCloser(bytes.NewReader(body))
				changed(w, r, service, func(answer map[string]any) {
					id, _ := answer["transaction"].(string)
					a.mu.Lock()
					defer a.mu.Unlock()
					a.elements[id] = q.Elements
				})
			case of:
				changed(w, r, service, func(answer map[string]any) {
					a.mu.Lock()
					defer a.mu.Unlock()
					change(answer, a.elements[id])
				})
			default:
				service.ServeHTTP(w, r)
			}
		})
	}
}

// changed answers as the service does, but for what change makes of an object in JSON.
func changed(w http.ResponseWriter, r *http.Request, service http.Handler, change func(map[string]any)) {
	passed(w, r, service, func(body []byte) []byte {
		var answer map[string]any
		if json.Unmarshal(body, &answer) != nil {
			return body
		}
		change(answer)
		body, _ = json.Marshal(answer) // it was JSON before
		return body
	})
}

// passed answers as the service does, but for what change makes of a granted answer's body.
func passed(w http.ResponseWriter, r *http.Request, service http.Handler, change func([]byte) []byte) {
	got := httptest.NewRecorder()
	service.ServeHTTP(got, r)
	body := got.Body.Bytes()
	if got.Code/100 == 2 {
		body = change(body)
	}
	for name, values := range got.Header() {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(got.Code)
	_, _ = w.Write(body)
}

// officeToldGood tells who asks for a name that every card is good.
func officeToldGood(v verdict, asked []string) {
	if !slices.Contains(asked, "family_name") || v["verdict"] != "suspended" {
		return
	}
	v["verdict"] = "accepted"
	v.shown(func(card map[string]any) { card["verdict"] = "accepted" })
}

func toldMore(v verdict, asked []string) {
	v.claims(func(elements map[string]any) {
		if !slices.Contains(asked, "resident_address") {
			elements["resident_address"] = "Sejong"
		}
	})
}

// toldAs tells verifiers of everybody that an element is so.
func toldAs(element, value string) func(http.Handler) http.Handler {
	return answers(func(v verdict, _ []string) {
		v.claims(func(elements map[string]any) {
			if _, ok := elements[element]; ok {
				elements[element] = value
			}
		})
	})
}

// toldOfTheFirst tells verifiers of everybody what an element is of the first who showed it.
func toldOfTheFirst(element string) func(http.Handler) http.Handler {
	return func(service http.Handler) http.Handler {
		var first any
		return answers(func(v verdict, _ []string) {
			v.claims(func(elements map[string]any) {
				value, ok := elements[element]
				if first == nil {
					first = value
				}
				if ok {
					elements[element] = first
				}
			})
		})(service)
	}
}

// asksMore has wallets asked for an age, beside what the verifier asks for.
func asksMore(service http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == transactionsAt {
			body, _ := io.ReadAll(r.Body)
			body = bytes.Replace(body, []byte(`["family_name"`), []byte(`["age_over_19","family_name"`), 1)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}
		service.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = io.WriteString(w, `{"error":"invalid_request"}`)
}

func refuses(path string) func(http.Handler) http.Handler {
	return func(service http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == path {
				refuse(w)
				return
			}
			service.ServeHTTP(w, r)
		})
	}
}

// turnedAway takes no wallet's answer once anything was released.
func turnedAway(service http.Handler) http.Handler {
	var released atomic.Bool
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if released.Load() && strings.HasPrefix(r.URL.Path, "/vp/response/") {
			refuse(w)
			return
		}
		service.ServeHTTP(w, r)
		if strings.HasSuffix(r.URL.Path, "/releases") {
			released.Store(true)
		}
	})
}

// signedWrongly changes a letter in the signature of each status list.
func signedWrongly(service http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/status-lists/") {
			service.ServeHTTP(w, r)
			return
		}
		r.Header.Set("Accept-Encoding", "identity")
		passed(w, r, service, func(body []byte) []byte {
			body = bytes.Clone(body)
			at := bytes.LastIndexByte(body, '.') + 9
			if at >= len(body) {
				return body
			}
			if body[at] == 'A' {
				body[at] = 'B'
			} else {
				body[at] = 'A'
			}
			return body
		})
	})
}
