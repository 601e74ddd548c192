package openid4vp_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/sdjwt"
)

// showMore presents elements whether they were asked for or not.
func (w *world) showMore(q request, names ...string) (asMdoc, asJWT string) {
	w.t.Helper()
	thumbprint := q.Metadata.Keys.Keys[0].Thumbprint()
	response, err := mdoc.Present(w.mdoc.card, names, mdoc.OpenID4VPTranscript(q.ClientID, q.Nonce, thumbprint[:], q.ResponseURI), w.mdoc.key)
	check(w.t, err)
	var paths []sdjwt.Path
	for _, name := range names {
		path, _ := sdjwt.PathOf(name)
		paths = append(paths, path)
	}
	text, err := sdjwt.Present(string(w.jwt.card), paths, w.binding(q), w.jwt.key)
	check(w.t, err)
	return base64.RawURLEncoding.EncodeToString(response), text
}

// A wallet that shows more than it was asked for gives a verifier nothing that it may not
// ask for, nor what it did not ask for.
func TestAVerifierIsToldWhatItAskedForAndNoMore(t *testing.T) {
	w := newWorld(t)
	query := func(claims string) map[string]any {
		return map[string]any{"dcql_query": json.RawMessage(`{"credentials":[
			{"id":"rrc_mdoc","format":"mso_mdoc","meta":{"doctype_value":"` + mdoc.DocType + `"}` + strings.ReplaceAll(claims, "AGE", `"`+mdoc.Namespace+`","age_over_19"`) + `},
			{"id":"rrc_sd_jwt","format":"dc+sd-jwt","meta":{"vct_values":["` + sdjwt.Type + `"]}` + strings.ReplaceAll(claims, "AGE", `"age_equal_or_over","19"`) + `}],
			"credential_sets":[{"options":[["rrc_mdoc"],["rrc_sd_jwt"]]}]}`)}
	}
	for _, c := range []struct {
		name  string
		asked map[string]any
		told  map[string]string // by format
	}{
		{"by elements", map[string]any{"elements": []string{"age_over_19"}},
			map[string]string{"rrc_mdoc": `{"` + mdoc.Namespace + `":{"age_over_19":true}}`, "rrc_sd_jwt": `{"age_equal_or_over":{"19":true},"vct":"` + sdjwt.Type + `"}`}},
		{"by DCQL", query(`,"claims":[{"path":[AGE]}]`),
			map[string]string{"rrc_mdoc": `{"` + mdoc.Namespace + `":{"age_over_19":true}}`, "rrc_sd_jwt": `{"age_equal_or_over":{"19":true},"vct":"` + sdjwt.Type + `"}`}},
		{"nothing of it", query(""), map[string]string{"rrc_mdoc": `null`, "rrc_sd_jwt": `{"vct":"` + sdjwt.Type + `"}`}},
	} {
		for _, format := range []string{"rrc_mdoc", "rrc_sd_jwt"} {
			id, _ := w.begin(shop, c.asked)
			q := w.fetch(id, false)
			asMdoc, asJWT := w.showMore(q, "age_over_19", "family_name", "nationality", "resident_address", "resident_municipality")
			shown := map[string]string{"rrc_mdoc": asMdoc, "rrc_sd_jwt": asJWT}[format]
			if a := w.send(q, map[string][]string{format: {shown}}); a.status != 200 {
				t.Fatalf("%s, %s: %+v", c.name, format, a)
			}
			a := w.outcome(shop, id)
			credentials, _ := a.body["credentials"].([]any)
			if a.body["verdict"] != "accepted" || len(credentials) != 1 {
				t.Fatalf("%s, %s: %+v", c.name, format, a)
			}
			told, err := json.Marshal(credentials[0].(map[string]any)["claims"])
			check(t, err)
			if string(told) != c.told[format] {
				t.Errorf("%s, %s: it is told %s, want %s", c.name, format, told, c.told[format])
			}
		}
	}
}

// Whoever showed a card that is not valid is not sent back, and has no code: the party is
// told of it without one.
func TestOnTheSameDeviceAPartyIsToldOfACardThatIsNotValid(t *testing.T) {
	w := newWorld(t)
	id, _ := w.begin(shop, map[string]any{"elements": []string{"age_over_19"}, "redirect_uri": "https://shop.example/back"})
	q := w.fetch(id, false)
	w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q, func(q *request) { q.Nonce += "x" })}}).refused(t, "another nonce", 400, "invalid_request")
	if a := w.outcome(shop, id); a.status != 200 || a.body["verdict"] != "not-valid" || strings.Contains(fmt.Sprint(a.text), "claims") {
		t.Errorf("%+v", a)
	}
}
