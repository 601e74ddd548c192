package authorization

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/web"
)

// requestURN is how a pushed request is named (RFC 9126 §2.2).
const requestURN = "urn:ietf:params:oauth:request_uri:"

// request is a pushed authorization request.
type request struct {
	Client     string   `json:"client"`
	Thumbprint string   `json:"thumbprint"` // of the wallet's instance key
	DPoP       string   `json:"dpop,omitempty"`
	Redirect   string   `json:"redirect"`
	State      string   `json:"state,omitempty"`
	Challenge  string   `json:"challenge"` // PKCE
	Configs    []string `json:"configs"`
	Details    bool     `json:"details,omitempty"` // asked for by authorization_details
}

const (
	detailsType = "openid_credential"
	maxState    = 1000
)

// detail is an authorization detail (OpenID4VCI 1.0 §5.1.1).
type detail struct {
	Type        string   `json:"type"`
	ConfigID    string   `json:"credential_configuration_id"`
	Identifiers []string `json:"credential_identifiers,omitempty"` // in token responses
}

// details reads authorization_details.
func (s *Server) details(text string) (ids []string, err error) {
	var wrapped struct {
		Details []detail `json:"details"`
	}
	if err := jws.Unmarshal([]byte(`{"details":`+text+`}`), &wrapped); err != nil || len(wrapped.Details) == 0 {
		return nil, web.Refuse(http.StatusBadRequest, "invalid_authorization_details", "The authorization_details are not a list of them.")
	}
	for _, d := range wrapped.Details {
		if _, known := s.o.Scopes[d.ConfigID]; d.Type != detailsType || !known || slices.Contains(ids, d.ConfigID) {
			return nil, web.Refuse(http.StatusBadRequest, "invalid_authorization_details", "There is no %.40q with the configuration %.80q, or it comes twice.", d.Type, d.ConfigID)
		}
		ids = append(ids, d.ConfigID)
	}
	return ids, nil
}

// Push takes an authorization request before the citizen's browser comes (RFC 9126).
func (s *Server) Push(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ReadForm(r)
	if err != nil {
		return err
	}
	c, err := s.client(r, form.Get("client_id"))
	if err != nil {
		return err
	}
	q := request{Client: c.ID, Thumbprint: c.Thumbprint, Redirect: form.Get("redirect_uri"), State: form.Get("state"), Challenge: form.Get("code_challenge")}
	switch {
	case form.Get("client_id") == "": // the attestation does not stand for it (RFC 9126 §2.1)
		return web.Refuse(http.StatusBadRequest, oauth.InvalidRequest, "The client_id is missing.")
	case form.Has("request_uri"):
		return web.Refuse(http.StatusBadRequest, oauth.InvalidRequest, "A request_uri cannot be pushed.")
	case form.Get("response_type") != "code":
		return web.Refuse(http.StatusBadRequest, "unsupported_response_type", "The response_type must be code.")
	case len(q.State) > maxState:
		return web.Refuse(http.StatusBadRequest, oauth.InvalidRequest, "The state is longer than %d bytes.", maxState)
	case !s.redirects(q.Redirect):
		return web.Refuse(http.StatusBadRequest, oauth.InvalidRequest, "The redirect_uri is not one that is accepted here.")
	}
	if err := oauth.CheckChallenge(q.Challenge, form.Get("code_challenge_method")); err != nil {
		return refusal(err)
	}
	if form.Has("authorization_details") {
		q.Configs, err = s.details(form.Get("authorization_details"))
		q.Details = true
	} else {
		q.Configs, err = s.scopes(form.Get("scope"))
	}
	if err != nil {
		return err
	}
	if q.DPoP = form.Get("dpop_jkt"); len(q.DPoP) > 100 {
		return web.Refuse(http.StatusBadRequest, oauth.InvalidRequest, "The dpop_jkt is not a thumbprint.")
	}
	var proven *oauth.Proven
	if r.Header.Get("DPoP") != "" {
		if proven, err = s.dpop(r, s.endpoint("par"), "", q.DPoP); err != nil {
			return err
		}
		q.DPoP = proven.Thumbprint
	}
	if err := s.update(r.Context(), func(tx store.Tx) error {
		if proven != nil {
			if err := s.spendProof(tx, proven); err != nil {
				return err
			}
		}
		return c.spend(tx)
	}); err != nil {
		return err
	}
	sealed, err := s.seal(kindRequest, RequestLife, q)
	if err != nil {
		return err
	}
	if err := s.GiveNonce(w); err != nil {
		return err
	}
	web.JSON(w, http.StatusCreated, map[string]any{"request_uri": requestURN + sealed, "expires_in": int(RequestLife.Seconds())})
	return nil
}

// redirects says whether a code may be sent there. Private schemes of apps are
// good; what a browser would run or read locally is not.
func (s *Server) redirects(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Fragment != "" || u.User != nil || len(text) > 2000 {
		return false
	}
	switch strings.ToLower(u.Scheme) {
	case "javascript", "data", "file", "vbscript", "blob", "about":
		return false
	case "http":
		if h := u.Hostname(); h != "localhost" && h != "127.0.0.1" && h != "::1" { // RFC 8252 §7.3
			return false
		}
	case "https":
		if u.Host == "" {
			return false
		}
	}
	return len(s.o.Redirects) == 0 || oauth.Redirects(s.o.Redirects, text)
}

// pushed reads a request by its URI, for the wallet that pushed it.
func (s *Server) pushed(uri, clientID string) (q request, id [32]byte, err error) {
	sealed, err := s.open(kindRequest, strings.TrimPrefix(uri, requestURN), &q)
	if err != nil || !strings.HasPrefix(uri, requestURN) || q.Client != clientID {
		return q, id, web.Refuse(http.StatusBadRequest, oauth.InvalidRequest, "The request_uri is not one that was given to this client, or its time is over: push the request again.")
	}
	return q, sealed.ID, nil
}

var page = template.Must(template.New("").Parse(`<!doctype html>
<html lang="ko"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>모바일 주민등록증 · Mobile resident card</title></head>
<body><main><h1>모바일 주민등록증 발급</h1>
<p>IC 주민등록증을 휴대전화 뒷면에 대고, 비밀번호를 입력한 뒤 얼굴을 촬영해 주세요. 이 단계는 지갑 앱이 진행합니다.</p>
<h2 lang="en">Applying for a mobile card</h2>
<p lang="en">Hold your IC card to the back of your phone, enter its PIN, and let the camera see your face. Your wallet app does this step.</p>
</main></body></html>
`))

// Authorize is where the citizen's browser comes with a pushed request (RFC 9126
// §4). The wallet itself goes on with Challenge and Prove.
func (s *Server) Authorize(w http.ResponseWriter, r *http.Request) error {
	query, err := web.ReadQuery(r)
	if err != nil {
		return err
	}
	if _, _, err := s.pushed(query.Get("request_uri"), query.Get("client_id")); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	if s.o.Page != nil {
		s.o.Page(w, r, query.Get("request_uri"))
		return nil
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return page.Execute(w, nil)
}

// challengeOf names the challenges of a pushed request.
func challengeOf(id [32]byte) string { return "challenge of " + string(id[:]) }

// Challenge gives a card a challenge to sign, for a pushed request: a body
// {"client_id", "request_uri"}.
func (s *Server) Challenge(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		ClientID   string `json:"client_id"`
		RequestURI string `json:"request_uri"`
	}
	if err := web.ReadJSON(r, &body); err != nil {
		return err
	}
	_, id, err := s.pushed(body.RequestURI, body.ClientID)
	if err != nil {
		return err
	}
	challenge, err := s.o.Issuance.ChallengeFor(r.Context(), func(seed [32]byte) [32]byte { return s.o.Keys.Stamp(seed, challengeOf(id)) })
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, map[string][]byte{"challenge": challenge})
	return nil
}

// Prove judges what was read from the card, and the face, and answers with where
// the browser goes next: to the wallet, with a code.
func (s *Server) Prove(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		ClientID   string   `json:"client_id"`
		RequestURI string   `json:"request_uri"`
		Challenge  []byte   `json:"challenge"`
		Card       Evidence `json:"card"`
		Capture    []byte   `json:"capture"`
	}
	if err := web.ReadJSON(r, &body); err != nil {
		return err
	}
	q, id, err := s.pushed(body.RequestURI, body.ClientID)
	if err != nil {
		return err
	}
	probe, err := capture(body.Capture)
	if err != nil {
		return err
	}
	// What a card has signed for one request is no evidence for another, perhaps
	// somebody else's.
	if !s.o.Keys.Stamped(body.Challenge, challengeOf(id)) {
		return denied(lifecycle.CardNotGenuine)
	}
	approval, reason, err := s.o.Issuance.ApproveTap(r.Context(), body.Challenge, body.Card.evidence(), probe)
	if err != nil {
		return err
	}
	if reason != 0 {
		return denied(reason)
	}
	to, err := s.grant(q, id, approval)
	if err == nil {
		web.JSON(w, http.StatusOK, map[string]string{"redirect_uri": to})
	}
	return err
}

// code is an authorization code.
type code struct {
	request
	ID       []byte            `json:"id"` // of the request; whoever asks again for its code gets another, and one of them is good
	Approval issuance.Approval `json:"approval"`
}

// grant makes a code of a pushed request.
func (s *Server) grant(q request, id [32]byte, approval issuance.Approval) (string, error) {
	sealed, err := s.seal(kindCode, CodeLife, code{q, id[:], approval})
	if err != nil {
		return "", err
	}
	u, err := url.Parse(q.Redirect)
	if err != nil {
		return "", err
	}
	query := u.Query()
	query.Set("code", sealed)
	query.Set("iss", s.o.Issuer)
	if q.State != "" {
		query.Set("state", q.State)
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}
