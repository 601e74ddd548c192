package demo

import (
	"bytes"
	"context"
	_ "embed" // for the page
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/console"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/web"
)

// PhonesPath is where the phones are shown.
const PhonesPath = "/demo/phones"

// PhoneOptions are what the phones need.
type PhoneOptions struct {
	Town   *Town
	Issuer string // the service's URL
	Now    func() time.Time
	Random io.Reader // safe for concurrent use
	// Service is the service, which the phones talk to as if it were far away.
	Service func() http.Handler
}

// Phones shows the residents' phones in a browser: they scan a clerk's QR code, read
// a card, look into the camera, and answer verifiers. A phone is in memory only: at
// the next start its holder has a new one.
type Phones struct {
	o       PhoneOptions
	mu      sync.Mutex
	handset map[store.PersonID]*handset
}

// handset is one phone.
type handset struct {
	owner *Resident

	mu      sync.Mutex // one thing at a time
	wallet  *wallet.Wallet
	offer   *wallet.Offer   // scanned; the face is to be checked
	request *wallet.Request // opened; its holder is to decide
	choices []wallet.Choice
	said    string // a word, about what was done last
	detail  string
	failed  bool
}

// NewPhones returns the phones of a town.
func NewPhones(o PhoneOptions) *Phones {
	return &Phones{o: o, handset: map[store.PersonID]*handset{}}
}

// phone is the phone that a path names.
func (p *Phones) phone(r *http.Request) (*handset, error) {
	one, err := (Hands{Town: p.o.Town}).resident(r)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.handset[one.ID]
	if h == nil {
		h = &handset{owner: one}
		if h.wallet, err = p.fresh(); err != nil {
			return nil, err
		}
		p.handset[one.ID] = h
	}
	return h, nil
}

// fresh is a wallet on a phone that was never used.
func (p *Phones) fresh() (*wallet.Wallet, error) {
	seed := make([]byte, 32)
	if _, err := io.ReadFull(p.o.Random, seed); err != nil {
		return nil, err
	}
	return wallet.New(wallet.Options{
		HTTP: &http.Client{Transport: inside{p.o.Service}}, Now: p.o.Now, Random: p.o.Random,
		Maker: p.o.Town.maker, Provider: p.o.Town.provider, Seed: seed,
		Issuers: p.o.Town.Issuers,
	})
}

// inside takes a phone's request to the service without a network.
type inside struct{ service func() http.Handler }

// RoundTrip implements http.RoundTripper.
func (t inside) RoundTrip(r *http.Request) (*http.Response, error) {
	q := r.Clone(r.Context())
	q.RequestURI, q.RemoteAddr, q.Host = r.URL.RequestURI(), "127.0.0.1:1", r.URL.Host
	if q.Body == nil {
		q.Body = http.NoBody
	}
	w := &answer{header: http.Header{}}
	t.service().ServeHTTP(w, q)
	return &http.Response{StatusCode: max(w.status, http.StatusOK), Header: w.header, Body: io.NopCloser(&w.body), Request: r, ProtoMajor: 1, ProtoMinor: 1}, nil
}

// answer is what the service wrote.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

//go:embed phones.html
var phonesHTML string

var phonePages = template.Must(template.New("phones").Parse(phonesHTML))

// phoneView is what the template sees.
type phoneView struct {
	Lang, Other string
	Here        string
	Residents   []*Resident
	Query       string // kept when a phone is chosen
	Owner       *Resident
	Copies      map[string]int // by format
	Scanned     string         // in the address: the text of a QR code
	Shown       string
	NeedsTx     bool
	Offer       bool
	Verifier    string
	Claims      []string
	Said        string
	Detail      string
	Failed      bool
}

// T is a word of the table.
func (v phoneView) T(word string, args ...any) string {
	both, ok := phoneWords[word]
	if !ok {
		return "⟨" + word + "⟩"
	}
	text := both.en
	if v.Lang == "ko" {
		text = both.ko
	}
	if len(args) > 0 {
		text = fmt.Sprintf(text, args...)
	}
	return text
}

// Name is a resident's in the language of the page.
func (v phoneView) Name(r *Resident) string {
	if v.Lang == "ko" {
		return r.Name
	}
	return r.Romanised
}

const phonePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func (p *Phones) render(w http.ResponseWriter, r *http.Request, v phoneView) error {
	v.Lang, v.Other = console.Language(w, r), "ko"
	if v.Lang == "ko" {
		v.Other = "en"
	}
	q := r.URL.Query()
	q.Set("lang", v.Other)
	v.Here = r.URL.Path + "?" + q.Encode()
	var body bytes.Buffer
	if err := phonePages.Execute(&body, v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", phonePolicy)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body.Bytes())
	return nil
}

// listed limits how many residents the list has.
const listed = 50

// List lets somebody choose whose phone to hold.
func (p *Phones) List(w http.ResponseWriter, r *http.Request) error {
	v := phoneView{Residents: p.o.Town.Residents[:min(listed, len(p.o.Town.Residents))]}
	q := url.Values{}
	for _, name := range []string{"scan", "show"} {
		if text := r.URL.Query().Get(name); text != "" {
			q.Set(name, text)
		}
	}
	if len(q) > 0 {
		v.Query = "?" + q.Encode()
	}
	return p.render(w, r, v)
}

// Show shows a phone.
func (p *Phones) Show(w http.ResponseWriter, r *http.Request) error {
	h, err := p.phone(r)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	q := r.URL.Query()
	v := phoneView{Owner: h.owner, Copies: map[string]int{}, Scanned: q.Get("scan"), Shown: q.Get("show"), Said: h.said, Detail: h.detail, Failed: h.failed}
	for _, c := range h.wallet.Copies() {
		v.Copies[c.Format]++
	}
	if h.offer != nil {
		v.Offer, v.NeedsTx = true, h.offer.NeedsTx
	}
	if h.request != nil {
		v.Verifier = h.request.Verifier
		words := console.Words{Lang: console.Language(w, r)}
		for _, c := range h.choices {
			for _, path := range c.Claims {
				v.Claims = append(v.Claims, words.Maybe("element.", element(path)))
			}
		}
	}
	return p.render(w, r, v)
}

// element is the name at the end of a claim's path, "[\"namespace\",\"name\"]".
func element(path string) string {
	var steps []any
	if json.Unmarshal([]byte(path), &steps) != nil || len(steps) == 0 {
		return path
	}
	return fmt.Sprint(steps[len(steps)-1])
}

// act does something with a phone, and sends the browser back to it.
func (p *Phones) act(w http.ResponseWriter, r *http.Request, do func(ctx context.Context, h *handset, form url.Values) (said string, err error)) error {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return web.Refuse(http.StatusForbidden, "csrf", "This request does not come from a page of the demonstration.")
	}
	form, err := web.ReadForm(r)
	if err != nil {
		return err
	}
	h, err := p.phone(r)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	said, err := do(r.Context(), h, form)
	h.said, h.detail, h.failed = said, "", err != nil
	if err != nil {
		h.said, h.detail = "failed", err.Error()
		if refused, ok := errors.AsType[*wallet.Refused](err); ok {
			h.detail = refused.Code
			if refused.Description != "" {
				h.detail = refused.Description + " (" + refused.Code + ")"
			}
		}
	}
	http.Redirect(w, r, fmt.Sprintf("%s/%d", PhonesPath, h.owner.ID), http.StatusSeeOther)
	return nil
}

// Scan scans a QR code: a clerk's offer, or a verifier's request.
func (p *Phones) Scan(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, func(ctx context.Context, h *handset, form url.Values) (_ string, err error) {
		text := strings.TrimSpace(form.Get("text"))
		if !strings.HasPrefix(text, "openid-credential-offer:") {
			return h.open(ctx, text)
		}
		h.offer, err = h.wallet.Scan(ctx, text)
		return "scanned", err
	})
}

// face is a picture of the resident, or of the next one.
func (p *Phones) face(h *handset, form url.Values) []byte {
	who := h.owner
	if form.Get("face") == "other" {
		who = p.o.Town.Residents[int(h.owner.ID)%len(p.o.Town.Residents)]
	}
	return who.Capture().Bytes()
}

// Face has the face checked against a scanned offer, and gets the card.
func (p *Phones) Face(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, func(ctx context.Context, h *handset, form url.Values) (string, error) {
		if h.offer == nil {
			return "", errors.New("nothing was scanned")
		}
		tx := strings.TrimSpace(form.Get("tx"))
		if err := h.offer.Check(ctx, tx, p.face(h, form)); err != nil {
			return "", err
		}
		token, err := h.offer.Redeem(ctx, tx)
		if err != nil {
			return "", err
		}
		h.offer = nil
		return "issued", issue(ctx, token)
	})
}

// copiesAtMost of a card and format are asked for.
const copiesAtMost = 4

// issue gets the card in all formats that the issuer has.
func issue(ctx context.Context, t *wallet.Token) error {
	for id := range t.Issuer.Configs {
		if _, err := t.Issue(ctx, id, wallet.Ask{Copies: max(1, min(copiesAtMost, t.Issuer.Batch.Size))}); err != nil {
			return err
		}
	}
	return nil
}

// Tap holds the IC card to the phone, and gets the card.
func (p *Phones) Tap(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, func(ctx context.Context, h *handset, form url.Values) (string, error) {
		i, err := h.wallet.Discover(ctx, p.o.Issuer)
		if err != nil {
			return "", err
		}
		var all []string
		for id := range i.Configs {
			all = append(all, id)
		}
		a, err := h.wallet.Apply(ctx, p.o.Issuer, all...)
		if err != nil {
			return "", err
		}
		challenge, err := a.Challenge(ctx)
		if err != nil {
			return "", err
		}
		tap, err := h.owner.Tap(challenge, strings.TrimSpace(form.Get("pin")))
		if err != nil {
			return "", err
		}
		token, err := a.Prove(ctx, challenge, tap.Evidence, p.face(h, form))
		if err != nil {
			return "", err
		}
		return "issued", issue(ctx, token)
	})
}

// open reads a verifier's request, for the holder to decide.
func (h *handset) open(ctx context.Context, text string) (string, error) {
	r, err := h.wallet.Open(ctx, text)
	if err != nil {
		return "", err
	}
	choices, err := h.wallet.Choose(r)
	if err != nil {
		return "", err
	}
	h.request, h.choices = r, choices
	return "asked", nil
}

// Open opens a verifier's request.
func (p *Phones) Open(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, func(ctx context.Context, h *handset, form url.Values) (string, error) {
		return h.open(ctx, strings.TrimSpace(form.Get("text")))
	})
}

// Answer answers a verifier's request as its holder decides.
func (p *Phones) Answer(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, func(ctx context.Context, h *handset, form url.Values) (string, error) {
		request := h.request
		if request == nil {
			return "", errors.New("no verifier has asked")
		}
		h.request = nil
		if form.Get("do") != "agree" {
			_, err := h.wallet.Decline(ctx, request)
			return "declined", err
		}
		_, err := h.wallet.Answer(ctx, request, h.choices)
		return "answered", err
	})
}

// Replace puts a new phone into the holder's hands.
func (p *Phones) Replace(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, func(_ context.Context, h *handset, _ url.Values) (_ string, err error) {
		h.offer, h.request = nil, nil
		h.wallet, err = p.fresh()
		return "new", err
	})
}

// phoneWords is all that the pages say, in both languages.
var phoneWords = map[string]struct{ en, ko string }{
	"title":         {"Emulated phones", "가상 휴대폰"},
	"phone":         {"Phone of %s", "%s의 휴대폰"},
	"other":         {"한국어", "English"},
	"demo":          {"Demonstration: made-up people, and nothing here is secret.", "시연용입니다. 가상의 인물이며 비밀 정보가 아닙니다."},
	"choose":        {"Whose phone do you hold?", "누구의 휴대폰입니까?"},
	"number":        {"Number", "관리번호"},
	"name":          {"Name", "이름"},
	"document":      {"Plastic card", "주민등록증 발급번호"},
	"chip":          {"Chip", "IC 칩"},
	"yes":           {"yes", "있음"},
	"no":            {"no", "없음"},
	"holds":         {"On this phone", "휴대폰에 있는 것"},
	"nothing":       {"No mobile card.", "모바일 주민등록증이 없습니다."},
	"copies":        {"Mobile card, %s: %d copies", "모바일 주민등록증, %s: %d부"},
	"scan":          {"Scan a QR code", "QR 코드 스캔"},
	"text":          {"Text of the QR code", "QR 코드의 글자"},
	"scan.do":       {"Scan", "스캔"},
	"face.title":    {"A card is offered", "발급 제안"},
	"tx":            {"The six digits that the clerk says", "직원이 알려 준 여섯 자리 번호"},
	"face":          {"Who looks into the camera?", "누가 카메라를 봅니까?"},
	"face.own":      {"The holder of this phone", "휴대폰 주인"},
	"face.other":    {"Somebody else", "다른 사람"},
	"face.do":       {"Take the picture and get the card", "촬영하고 발급받기"},
	"tap.title":     {"Hold the IC card to the phone", "IC 주민등록증 접촉"},
	"pin":           {"PIN of the card (in this demonstration %s)", "카드 비밀번호(시연용: %s)"},
	"tap.do":        {"Read the card and get the mobile card", "카드를 읽고 발급받기"},
	"ask.title":     {"%s asks", "%s의 요청"},
	"ask.hint":      {"It would see:", "보게 되는 것:"},
	"agree":         {"Agree and show it", "동의하고 제시"},
	"decline":       {"Decline", "거절"},
	"new":           {"A new phone", "새 휴대폰"},
	"new.hint":      {"The one before is gone, with what is on it.", "이전 휴대폰과 그 안의 것은 사라집니다."},
	"new.do":        {"Take a new phone", "새 휴대폰으로 바꾸기"},
	"all":           {"All phones", "전체 휴대폰"},
	"said.failed":   {"That did not work.", "처리하지 못했습니다."},
	"said.scanned":  {"The offer is scanned.", "제안을 스캔했습니다."},
	"said.issued":   {"The mobile card is on this phone.", "모바일 주민등록증이 발급되었습니다."},
	"said.asked":    {"A verifier asks: decide below.", "검증기관의 요청입니다. 아래에서 결정하십시오."},
	"said.answered": {"The answer was sent.", "응답을 보냈습니다."},
	"said.declined": {"Declined; the verifier knows only that.", "거절했습니다. 검증기관은 그 사실만 압니다."},
	"said.new":      {"This is a new phone.", "새 휴대폰입니다."},
}
