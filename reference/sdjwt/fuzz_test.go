package sdjwt

import (
	"reflect"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/p256"
)

// Whatever comes in, nothing panics, and what is accepted shows only claims of the
// card.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	whole, _, err := CardClaims(record)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(w.present(f, Path{"family_name"}, Path{"age_equal_or_over", "19"}))
	f.Add(w.present(f))
	f.Add("x~y~z")
	f.Fuzz(func(t *testing.T, text string) {
		shown, err := w.verify(text)
		if err != nil {
			return
		}
		for name := range shown.Claims {
			if _, of := whole[name]; !of && !strings.Contains("vct iss iat nbf exp cnf status", name) {
				t.Errorf("accepted %q, which is not of the card", name)
			}
		}
	})
}

// FuzzResolve changes payload and disclosures, whoever signed them; digests are
// put where the payload says "D0", "D1" and so on, so that they can fit. Neither
// digests nor marks are left, and nothing is made up.
func FuzzResolve(f *testing.F) {
	f.Add(`{"_sd": ["D0"], "a": [{"...": "D1"}], "_sd_alg": "sha-256"}`, `["s", "name", {"_sd": ["D2"]}]`, `["s", 1]`)
	f.Add(`{"a": {"_sd": ["D0", "x"]}}`, `["s", "b", [{"...": "D1"}]]`, `["s", {"c": 1}]`)
	f.Fuzz(func(t *testing.T, payload, first, second string) {
		b := disclosed(second)
		a := disclosed(strings.ReplaceAll(first, "D1", digestOf([]byte(b))))
		v, err := jws.ReadEncoded([]byte(disclosed(strings.NewReplacer("D0", digestOf([]byte(a)), "D1", digestOf([]byte(b))).Replace(payload))), digests)
		object, ok := v.(map[string]any)
		if err != nil || !ok {
			return
		}
		claims, all, err := resolve(object, [][]byte{[]byte(a), []byte(b)})
		if err != nil {
			return
		}
		var clean func(v any)
		clean = func(v any) {
			switch v := v.(type) {
			case map[string]any:
				for name, member := range v {
					if name == "_sd" || name == "..." {
						t.Errorf("%q is left in %v", name, claims)
					}
					clean(member)
				}
			case []any:
				for _, e := range v {
					clean(e)
				}
			}
		}
		clean(claims)
		for _, d := range all {
			got, err := d.at.Select(claims)
			if err != nil || len(got) != 1 || !d.element && !reflect.DeepEqual(got[0], claims[d.name]) && len(d.at) == 1 {
				t.Errorf("%s: %v, %v", d.at, got, err)
			}
		}
	})
}

// A card is parsed before a presentation of it is made.
func FuzzPresent(f *testing.F) {
	w := newWorld(f)
	f.Add(w.card)
	f.Add("x.e30.x~")
	signer, err := p256.NewKey(&testKey("ds").PublicKey)
	if err != nil {
		f.Fatal(err)
	}
	trusted := func([][]byte) (*mdoc.SignerCertificate, error) {
		return &mdoc.SignerCertificate{Key: signer}, nil
	}
	f.Fuzz(func(t *testing.T, card string) {
		text, err := Present(card, nil, Binding{w.want.Audience, w.want.Nonce, w.want.At}, w.phone)
		if err != nil {
			return
		}
		p, err := split([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if shown, err := p.verify(w.want, trusted); err == nil {
			if err := p.checkBinding(shown, w.want); err != nil && shown.Holder.Equal(&w.phone.PublicKey) {
				t.Errorf("what Present makes is refused: %v", err)
			}
		}
	})
}
