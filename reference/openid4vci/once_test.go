package openid4vci_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A nonce is recorded under the end that is sealed in it, so that whoever uses it again
// is found out at any moment of its life.
func TestANonceOfProofsIsGoodForOneOrderAtAnyMoment(t *testing.T) {
	w := newWallet(t)
	for i, after := range [][2]time.Duration{{0, 0}, {0, time.Millisecond}, {time.Second, 5*time.Minute - time.Millisecond}, {4 * time.Minute, 4*time.Minute + 1500*time.Microsecond}} {
		proofs, begun := w.proofs(t, "jwt"), w.Now()
		for n, d := range after {
			w.Set(begun.Add(d))
			ctx := w.granted(t, fmt.Sprintf("order %d %d", i, n), w.Resident(), false)
			rec, _ := w.send(ctx, w.vci.Credential, marshal(t, map[string]any{"credential_configuration_id": "rrc_mdoc", "proofs": proofs}))
			if n == 0 && rec.Code != 200 || n == 1 && (rec.Code != 400 || !strings.Contains(rec.Body.String(), "used before")) {
				t.Errorf("%v after it was given, use %d: %d %s", d, n+1, rec.Code, rec.Body)
			}
		}
	}
}
