package openid4vci_test

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/store"
)

// refreshed changes a grant as a refresh of the wallet one's does.
func refreshed(g *authorization.Grant) { g.Approval, g.Wallet = nil, "instance of one" }

// indices are those of the copies in a response, as their verifiers see them.
func indices(t testing.TB, config string, r response) (out []uint64) {
	t.Helper()
	for _, c := range r.Credentials {
		if config == openid4vci.SDJWTID {
			p, err := sdjwt.CheckCard(c.Credential, []string{sdjwt.Type}, servicetest.Noon)
			check(t, err)
			out = append(out, p.Status.Index)
			continue
		}
		raw, err := base64.RawURLEncoding.DecodeString(c.Credential)
		check(t, err)
		held, err := mdoc.Inspect(raw)
		check(t, err)
		out = append(out, held.Status.Index)
	}
	return out
}

// Copies that are signed anew stand at the places of their format, whichever was asked for
// first: nobody sees an index on an mdoc that was on an SD-JWT of the same card.
func TestCopiesThatAreSignedAnewStandWhereTheyStood(t *testing.T) {
	configs := []string{openid4vci.MdocID, openid4vci.SDJWTID}
	for first, config := range configs {
		t.Run(config+" first", func(t *testing.T) {
			w := newWallet(t)
			c := w.Resident()
			ctx := w.granted(t, "one", c, false)
			stood := map[string][]uint64{}
			for n := range configs {
				config := configs[(first+n)%2]
				stood[config] = indices(t, config, w.good(t, ctx, w.vci.Credential, marshal(t, map[string]any{"credential_configuration_id": config, "proofs": w.proofs(t, "jwt")})))
			}
			later := w.granted(t, "one later", c, false, refreshed)
			for _, config := range configs {
				for range 2 {
					got := w.good(t, later, w.vci.Credential, marshal(t, map[string]any{"credential_configuration_id": config, "proofs": w.proofs(t, "attestation")}))
					if at := indices(t, config, got); !slices.Equal(at, stood[config]) || got.Notice != "" {
						t.Errorf("%s stands at %d, it stood at %d; notification %q", config, at, stood[config], got.Notice)
					}
				}
			}
		})
	}
}

// A format that the grant allowed and nobody asked for has its places too.
func TestAFormatMayBeAskedForAfterARefresh(t *testing.T) {
	w := newWallet(t)
	c := w.Resident()
	ctx := w.granted(t, "one", c, false)
	first := indices(t, openid4vci.SDJWTID, w.good(t, ctx, w.vci.Credential, marshal(t, map[string]any{"credential_configuration_id": openid4vci.SDJWTID, "proofs": w.proofs(t, "jwt")})))
	later := w.granted(t, "one later", c, false, refreshed)
	got := indices(t, openid4vci.MdocID, w.good(t, later, w.vci.Credential, marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofs(t, "jwt")})))
	for _, index := range got {
		if slices.Contains(first, index) {
			t.Errorf("the mdocs stand at %d, the SD-JWTs at %d", got, first)
		}
	}
}

// What is not the card's is not signed anew.
func TestWhatWasNotIssuedIsNotSignedAnew(t *testing.T) {
	w := newWallet(t)
	c := w.Resident()
	alone := func(g *authorization.Grant) { g.Configs = []string{openid4vci.MdocID} }
	w.good(t, w.granted(t, "one", c, false, alone), w.vci.Credential, marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofs(t, "jwt")}))
	both, another := w.granted(t, "one later", c, false, refreshed), w.granted(t, "another", c, false, func(g *authorization.Grant) { g.Approval = nil })
	proofs := w.proofs(t, "jwt")
	w.good(t, both, w.vci.Credential, marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": proofs}))
	w.refuses(t, "the nonce again", both, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": proofs}, 400, "invalid_nonce")
	w.refuses(t, "a format in which it was not issued", both, map[string]any{"credential_configuration_id": openid4vci.SDJWTID, "proofs": w.proofs(t, "jwt")}, 400, "credential_request_denied")
	w.refuses(t, "another wallet", another, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofs(t, "jwt")}, 400, "credential_request_denied")
}

// A wallet that was told to come again comes with the same transaction until it has its
// copies, also within the time in which it has said that it has its first ones.
func TestCopiesMayBeSignedAnewLater(t *testing.T) {
	w := newWallet(t)
	c := w.Resident()
	ctx := w.granted(t, "one", c, false)
	first := w.good(t, ctx, w.vci.Credential, marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofs(t, "jwt")}))
	if rec, _ := w.send(ctx, w.vci.Notify, marshal(t, map[string]any{"notification_id": first.Notice, "event": "credential_accepted"})); rec.Code != 204 {
		t.Fatal(rec.Code, rec.Body)
	}
	later := w.granted(t, "one later", c, false, refreshed)
	proofs := w.proofs(t, "jwt")
	waits := w.good(t, later, w.slow.Credential, marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": proofs}))
	if waits.Transaction == "" {
		t.Fatalf("%+v", waits)
	}
	w.refuses(t, "the nonce again", later, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": proofs}, 400, "invalid_nonce")
	for range 2 {
		got := w.good(t, later, w.vci.Deferred, marshal(t, map[string]any{"transaction_id": waits.Transaction}))
		if at := indices(t, openid4vci.MdocID, got); !slices.Equal(at, indices(t, openid4vci.MdocID, first)) {
			t.Errorf("they stand at %d", at)
		}
	}
}

// A wallet that cannot have copies anew is told what it can do: its card is in force.
func TestAWalletIsToldWhyItsCopiesAreNotSignedAnew(t *testing.T) {
	w := newWallet(t)
	c := w.Resident()
	_ = w.granted(t, "one", c, false, func(g *authorization.Grant) {
		a, err := w.Issuance.IssueApproved(context.Background(), issuance.ApprovedRequest{Request: w.Request(register.Citizen(c.ID)), Approval: *g.Approval,
			Phone: issuance.Phone{Wallet: g.Wallet, Keys: w.attested[:1]}, Format: issuance.Mdoc})
		check(t, err)
		if a.Reason != lifecycle.Granted {
			t.Fatal(a.Reason)
		}
	})
	later := w.granted(t, "one later", c, false, refreshed)
	told := func(config, code, sentence string) {
		t.Helper()
		rec, _ := w.send(later, w.vci.Credential, marshal(t, map[string]any{"credential_configuration_id": config, "proofs": w.proofs(t, "attestation")}))
		if rec.Code != 400 || !strings.Contains(rec.Body.String(), `"`+code+`"`) || !strings.Contains(rec.Body.String(), sentence) {
			t.Errorf("%s: %d %s, want %s: %s", config, rec.Code, rec.Body, code, sentence)
		}
	}
	told(openid4vci.SDJWTID, "credential_request_denied", "it was issued as mso_mdoc")
	told(openid4vci.MdocID, "invalid_proof", "2 keys for 1 places")
	check(t, w.Register.Update(context.Background(), func(tx store.Tx) error {
		p, err := tx.Person(c.ID)
		check(t, err)
		held, err := tx.Credential(p.Credential)
		check(t, err)
		held.Document, held.Formats = "", "" // as of a card that was issued before they were kept
		return tx.PutCredential(held)
	}))
	told(openid4vci.MdocID, "credential_request_denied", "before its formats were kept")
}
