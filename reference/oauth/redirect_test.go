package oauth

import "testing"

// What only begins as a registered address does is another one.
func TestARedirectIsComparedInItsParts(t *testing.T) {
	registered := []string{"https://bank.example", "https://shop.example:8443/back", "kr.rollcall.wallet://callback", "kr.rollcall.other:/done"}
	for text, want := range map[string]bool{
		"https://bank.example":                true,
		"https://bank.example/":               true,
		"HTTPS://Bank.Example/?basket=7":      true,
		"https://shop.example:8443/back":      true,
		"https://shop.example:8443/back?a=b":  true,
		"kr.rollcall.wallet://callback":       true,
		"kr.rollcall.wallet://callback?a=b":   true,
		"kr.rollcall.other:/done":             true,
		"https://bank.example.evil":           false,
		"https://bank.example.evil/":          false,
		"https://bank.example@evil":           false,
		"https://bank.example:x@evil/":        false,
		"https://evil@bank.example":           false,
		"https://bank.example:8443":           false,
		"https://bank.example/elsewhere":      false,
		"http://bank.example":                 false,
		"//bank.example":                      false,
		"https:bank.example":                  false,
		"https:///bank.example":               false,
		"https://bank.example\\@evil":         false,
		"https://bank.example#x":              false,
		"https://shop.example/back":           false,
		"https://shop.example:8443/backdoor":  false,
		"https://shop.example:8443/back/":     false,
		"https://shop.example:8443/back/../x": false,
		"https://shop.example:8443/b%61ck":    false,
		"https://shop.example:8443/BACK":      false,
		"https://shop.example:84430/back":     false,
		"kr.rollcall.wallet://callback.evil":  false,
		"kr.rollcall.wallet://callback/more":  false,
		"kr.rollcall.wallet:callback":         false,
		"kr.rollcall.other:/done/more":        false,
		"kr.rollcall.other.evil:/done":        false,
		"":                                    false,
		"bank.example":                        false,
	} {
		if got := Redirects(registered, text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if Redirects(nil, "https://bank.example") {
		t.Error("where nothing is registered, something is")
	}
}
