package cose

import (
	"bytes"
	"crypto/elliptic"
	"testing"

	"rollcall.example/rollcall/reference/p256"
)

// Signatures by themselves are tried with vectors in package p256; here is what the message adds.
func TestAMessageWithASignatureOfAnotherLengthOrOutOfRangeIsRefused(t *testing.T) {
	n := elliptic.P256().Params().N
	order, above := n.FillBytes(make([]byte, 32)), new(bytes.Buffer)
	above.Write(order[:31])
	above.WriteByte(order[31] + 1)
	one := append(make([]byte, 31), 1)
	good, err := Sign1(signer{key("a")}, Header{}, []byte("payload"), false)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	rs := bytes.Clone(m.Signature)
	if !m.VerifySignature(&key("a").PublicKey, nil) {
		t.Fatal("refused as it was signed")
	}
	r, s := rs[:32], rs[32:]
	zero := make([]byte, 32)
	for name, sig := range map[string][]byte{
		"r zero": append(bytes.Clone(zero), s...), "s zero": append(bytes.Clone(r), zero...), "both zero": make([]byte, 64),
		"r the order": append(bytes.Clone(order), s...), "s the order": append(bytes.Clone(r), order...),
		"r above the order": append(above.Bytes(), s...), "s above the order": append(bytes.Clone(r), above.Bytes()...),
		"both one": append(bytes.Clone(one), one...), "changed places": append(bytes.Clone(s), r...),
		"all ones": bytes.Repeat([]byte{0xff}, 64), "a byte less": rs[:63], "a byte more": append(bytes.Clone(rs), 0),
		"a zero before": append([]byte{0}, rs...), "only r": r, "none": {}, "DER": p256.AppendASN1(nil, rs),
	} {
		m.Signature = sig
		if m.VerifySignature(&key("a").PublicKey, nil) {
			t.Errorf("%s: %x accepted", name, sig)
		}
	}
}
