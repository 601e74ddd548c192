package pkcs11

import (
	"bytes"
	"strings"
	"testing"
)

const good = "pkcs11:token=Roll%20Call;object=document?module-path=/usr/lib/softhsm/libsofthsm2.so"

func TestAURINamesAKey(t *testing.T) {
	u, err := Parse(good)
	if err != nil || u.Token != "Roll Call" || u.Object != "document" || u.Module != "/usr/lib/softhsm/libsofthsm2.so" {
		t.Errorf("%+v %v", u, err)
	}
	u, err = Parse("pkcs11:id=%01%ff;type=private;token=t?module-path=/m")
	if err != nil || !bytes.Equal(u.ID, []byte{1, 0xff}) || u.String() != `the key "01ff" on the token "t"` {
		t.Errorf("%+v %v", u, err)
	}
}

func TestAURIThatCouldNameSomethingElseIsRefused(t *testing.T) {
	for what, text := range map[string]string{
		"another scheme":   "https:token=t;object=o?module-path=/m",
		"no token":         "pkcs11:object=o?module-path=/m",
		"no key":           "pkcs11:token=t?module-path=/m",
		"no module":        "pkcs11:token=t;object=o",
		"a module nearby":  "pkcs11:token=t;object=o?module-path=m.so",
		"a PIN":            "pkcs11:token=t;object=o?module-path=/m&pin-value=1234",
		"a PIN's file":     "pkcs11:token=t;object=o?module-path=/m&pin-source=/pin",
		"a slot":           "pkcs11:token=t;object=o;slot-id=1?module-path=/m",
		"a public key":     "pkcs11:token=t;object=o;type=public?module-path=/m",
		"two objects":      "pkcs11:token=t;object=o;object=p?module-path=/m",
		"a broken escape":  "pkcs11:token=t;object=%zz?module-path=/m",
		"a module in path": "pkcs11:token=t;object=o;module-path=/m",
		"too long":         "pkcs11:token=" + strings.Repeat("t", maxURI) + ";object=o?module-path=/m",
	} {
		if u, err := Parse(text); err == nil {
			t.Errorf("%s: %+v", what, u)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add("pkcs11:id=%01;token=t?module-path=/m")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := Parse(text)
		if err == nil && (u.Token == "" || u.Module[0] != '/' || u.Object == "" && len(u.ID) == 0) {
			t.Errorf("%q is %+v", text, u)
		}
	})
}
