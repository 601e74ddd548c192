package wallet_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/crl"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/x5c"
)

// registrar is an authority of verifiers, and the list that it publishes.
type registrar struct {
	w      *world
	root   *x509.Certificate
	leaf   []byte // the shop's
	served []byte // nil: it cannot be reached
}

const place = "/authority.crl"

func newRegistrar(w *world, name string, lists ...string) *registrar {
	w.t.Helper()
	r := &registrar{w: w}
	key := servicetest.Key(name)
	from, until := servicetest.Noon.AddDate(-1, 0, 0), servicetest.Noon.AddDate(1, 0, 0)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until, SubjectKeyId: []byte(name),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(nil, root, root, &key.PublicKey, key)
	check(w.t, err)
	r.root, err = x509.ParseCertificate(der)
	check(w.t, err)
	shop := servicetest.Key("reader shop")
	r.leaf, err = x509.CreateCertificate(nil, &x509.Certificate{SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: "shop"}, NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, CRLDistributionPoints: lists}, r.root, &shop.PublicKey, key)
	check(w.t, err)
	return r
}

// list makes a list of this number, good for a day.
func (r *registrar) list(number int64, revoked ...int64) []byte {
	r.w.t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: r.w.Now(), NextUpdate: r.w.Now().Add(24 * time.Hour)}
	for _, serial := range revoked {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: r.w.Now()})
	}
	der, err := x509.CreateRevocationList(nil, l, r.root, servicetest.Key(r.root.Subject.CommonName))
	check(r.w.t, err)
	return der
}

// open lets the shop ask, and the wallet read what it asks.
func (r *registrar) open(one *wallet.Wallet) error {
	r.w.t.Helper()
	r.w.signs = func(string) (openid4vp.Reader, error) {
		return openid4vp.Reader{Sign: jws.With(servicetest.Key("reader shop")), Chain: [][]byte{r.leaf}}, nil
	}
	begun, err := r.w.vp.Ask(ctx, shop, openid4vp.Asked{Elements: []string{"age_over_19"}})
	check(r.w.t, err)
	_, err = one.Open(ctx, begun.Request)
	return err
}

func (r *registrar) wallet() *wallet.Wallet {
	anchors, err := x5c.NewAnchors("registrar of verifiers", r.root.Raw)
	check(r.w.t, err)
	return r.w.wallet("phone", func(o *wallet.Options) { o.Readers = anchors })
}

func (r *registrar) fetched() (n int) {
	for _, s := range r.w.seen {
		if strings.HasSuffix(s, place) {
			n++
		}
	}
	return n
}

func (r *registrar) publish() {
	r.w.mux.HandleFunc("GET "+place, func(rw http.ResponseWriter, _ *http.Request) {
		if r.served == nil {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = rw.Write(r.served)
	})
}

func TestARevokedVerifierIsRefusedOnceTheListSaysIt(t *testing.T) {
	w := newWorld(t)
	r := newRegistrar(w, "registrar", issuer+place)
	r.publish()
	one := r.wallet()
	r.served = r.list(1, 1234)
	for range 3 {
		check(t, r.open(one))
	}
	if n := r.fetched(); n != 1 {
		t.Errorf("the list was fetched %d times", n)
	}
	r.served = r.list(2, 1234, 4711)
	w.Pass(59 * time.Minute)
	check(t, r.open(one)) // the list held is gone by for an hour
	w.Pass(time.Minute)
	for range 2 {
		if err := r.open(one); !errors.Is(err, wallet.ErrRequest) || !errors.Is(err, crl.ErrRevoked) {
			t.Errorf("with a list that names it: %v", err)
		}
	}
	r.served = r.list(1)
	w.Pass(time.Hour)
	if err := r.open(one); !errors.Is(err, crl.ErrRevoked) {
		t.Errorf("with an older list: %v", err)
	}
}

func TestAWalletThatCannotTellWhetherAVerifierWasRevokedDoesNotAnswer(t *testing.T) {
	w := newWorld(t)
	r := newRegistrar(w, "registrar", issuer+place)
	r.publish()
	stranger := newRegistrar(w, "stranger")
	good := r.list(1)
	forged := slices.Clone(good)
	forged[len(forged)-1] ^= 1
	for what, served := range map[string][]byte{"none": nil, "a forged one": forged, "another authority's": stranger.list(1), "no list": []byte("<html>")} {
		r.served = served
		if err := r.open(r.wallet()); !errors.Is(err, wallet.ErrRequest) || !strings.Contains(err.Error(), "cannot be told") {
			t.Errorf("%s: %v", what, err)
		}
	}
	// One that is held is gone by while its time lasts, and no longer.
	one := r.wallet()
	r.served = good
	check(t, r.open(one))
	r.served = nil
	w.Pass(23 * time.Hour)
	if err := r.open(one); err != nil {
		t.Errorf("within the time of the list held: %v", err)
	}
	w.Pass(time.Hour)
	if err := r.open(one); !errors.Is(err, wallet.ErrRequest) {
		t.Errorf("past it: %v", err)
	}
	without := newRegistrar(w, "registrar without lists")
	check(t, without.open(without.wallet()))
}
