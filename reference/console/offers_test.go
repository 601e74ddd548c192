package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/service/servicetest"
)

func TestAClerkSeesAnOfferScannedCheckedOrOver(t *testing.T) {
	o := newOffice(t)
	c, b := o.Resident(), o.as("clerk")
	at := fmt.Sprintf("/console/residents/%d", c.ID)
	start := func() (string, page) {
		made := b.post(at+"/offers", b.get(at).form(at+"/offers"))
		return made.header.Get("Location"), b.follow(made)
	}
	offer, p := start()
	p.has(t, "an offer", `role="img"`, `<title id="qr-title">QR code`, "openid-credential-offer://", `role="status"`, "<strong>Waiting", "14 Mar 2025 12:01:30")
	uri := strings.ReplaceAll(regexp.MustCompile(`(?s)<textarea id="uri"[^>]*>(.*?)</textarea>`).FindStringSubmatch(p.body)[1], "&amp;", "&")
	tx := regexp.MustCompile(`class="tx">(\d{6})<`).FindStringSubmatch(p.body)[1]

	u, err := url.Parse(uri)
	check(t, err)
	reference, err := url.Parse(u.Query().Get("credential_offer_uri"))
	check(t, err)
	phone := o.browser()
	fetched := phone.get(reference.Path)
	var body struct {
		Grants map[string]struct {
			Code string `json:"pre-authorized_code"`
		}
	}
	check(t, json.Unmarshal([]byte(fetched.body), &body))
	b.get(offer+"/state").has(t, "scanned", `aria-current="step"`, "<strong>Scanned: the phone now")
	if phone.get(reference.Path); o.as("clerk").get(offer).status != http.StatusOK {
		t.Error("another session of the same clerk may not look")
	}
	for _, code := range body.Grants {
		text, err := json.Marshal(map[string]any{"pre-authorized_code": code.Code, "tx_code": tx, "capture": c.Capture().Bytes()})
		check(t, err)
		r := httptest.NewRequest("POST", base+"/oauth/face-check", strings.NewReader(string(text)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		o.router.ServeHTTP(w, r)
		if w.Code != http.StatusNoContent {
			t.Fatalf("face check: %d %s", w.Code, w.Body)
		}
	}
	b.get(offer+"/state").has(t, "checked", "<strong>Face checked")
	if p := b.get(offer + "/state"); p.header.Get("X-Over") != "" {
		t.Error("the script is told to stop before the card is issued")
	}

	other, _ := start()
	o.Pass(90 * time.Second)
	over := b.get(other + "/state")
	over.has(t, "over", "<strong>Over: the 90 seconds have passed")
	if over.header.Get("X-Over") != "true" {
		t.Error("the script is not told that it is over")
	}
	if p := b.get(other); strings.Contains(p.body, "<svg") || strings.Contains(p.body, "openid-credential-offer") {
		t.Error("a code that is over is still shown")
	}
	if p := o.as("registrar").get(other); p.status != http.StatusForbidden {
		t.Errorf("a registrar looks at an offer: %d", p.status)
	}
	if p := b.get("/console/offers/" + strings.Repeat("A", 90)); p.status != http.StatusNotFound {
		t.Errorf("an offer that is none: %d", p.status)
	}
}

func TestADoubleClickMakesOneOffer(t *testing.T) {
	o := newOffice(t)
	c, b := o.Resident(), o.as("clerk")
	at := fmt.Sprintf("/console/residents/%d", c.ID)
	form := b.get(at).form(at + "/offers")
	var ends []string
	for range 2 {
		p := b.follow(b.post(at+"/offers", form))
		ends = append(ends, regexp.MustCompile(`Valid until [^<]*`).FindString(p.body))
		o.Pass(10 * time.Second)
	}
	if ends[0] != ends[1] {
		t.Errorf("a reload makes the time begin anew: %v", ends)
	}
}

func TestAnOfferIsRefusedWithTheReasonInWords(t *testing.T) {
	o := newOffice(t)
	far := o.Resident(func(q *issuance.ResidentRequest) { q.Resident.Municipality, q.Resident.Centre = servicetest.Never, "" })
	b := o.as("clerk")
	at := fmt.Sprintf("/console/residents/%d", far.ID)
	p := b.post(at+"/offers", b.get(at).form(at+"/offers"))
	if p.status != http.StatusConflict {
		t.Errorf("%d", p.status)
	}
	p.has(t, "not open", "not issued yet to residents of this municipality")
}
