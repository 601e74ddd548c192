package mrtd

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"rollcall.example/rollcall/hwemu/iso7816"
)

// Object identifiers (Doc 9303-11 §9.2, BSI TR-03110-3 appendix A). Values, as
// commands carry them.
var (
	oidPACE      = []byte{0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x04, 0x02, 0x02} // id-PACE-ECDH-GM-AES-CBC-CMAC-128
	oidChip      = []byte{0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x03, 0x02, 0x02} // id-CA-ECDH-AES-CBC-CMAC-128
	oidPublicKey = []byte{0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x01, 0x02}       // id-PK-ECDH
)

// OIDPACE and OIDChip are the protocols that MSE:SET AT names.
func OIDPACE() []byte { return append([]byte(nil), oidPACE...) }
func OIDChip() []byte { return append([]byte(nil), oidChip...) }

func oid(value []byte) []byte { return iso7816.Encode(0x06, value) }
func integer(n byte) []byte   { return []byte{0x02, 1, n} }

// PACEInfos are the protocols of EF.CardAccess (§9.2.1): one for each curve, in
// order.
func PACEInfos(curves ...Curve) (infos [][]byte) {
	for _, c := range curves {
		infos = append(infos, iso7816.Encode(0x30, oid(oidPACE), integer(2), integer(byte(c))))
	}
	return infos
}

// ChipInfos are protocol and static key of chip authentication (§9.2.5, §9.2.6).
func ChipInfos(key *ecdsa.PublicKey) ([][]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("mrtd: %w", err)
	}
	return [][]byte{
		iso7816.Encode(0x30, oid(oidPublicKey), spki),
		iso7816.Encode(0x30, oid(oidChip), integer(1)),
	}, nil
}

// SecurityInfos is a SET OF such infos, in the order of DER.
func SecurityInfos(infos ...[]byte) []byte {
	set, err := asn1.MarshalWithParams(rawSet(infos), "set")
	if err != nil {
		panic("mrtd: " + err.Error()) // encodings of our own
	}
	return set
}

func rawSet(infos [][]byte) (set []asn1.RawValue) {
	for _, i := range infos {
		set = append(set, asn1.RawValue{FullBytes: i})
	}
	return set
}

// Capabilities are what a reader can use of a chip's security infos.
type Capabilities struct {
	Curves []Curve // for PACE, as listed
	// ChipKey is the static key of chip authentication; nil: there is none.
	ChipKey *ecdsa.PublicKey
	// Chip says that chip authentication re-keys to AES-128.
	Chip bool
}

var errInfos = errors.New("mrtd: these are no security infos")

// ParseSecurityInfos reads a SET of security infos, as in EF.CardAccess and
// DG14. Protocols that it does not know it passes over.
func ParseSecurityInfos(der []byte) (c Capabilities, err error) {
	objects, err := iso7816.ParseObjects(der)
	if err != nil || len(objects) != 1 || objects[0].Tag != 0x31 {
		return c, errInfos
	}
	for _, info := range objects[0].Children {
		parts := info.Children
		if info.Tag != 0x30 || len(parts) < 2 || parts[0].Tag != 0x06 {
			return Capabilities{}, errInfos
		}
		switch string(parts[0].Value) {
		case string(oidPACE):
			if len(parts) == 3 && isInteger(parts[1], 2) && parts[2].Tag == 0x02 && len(parts[2].Value) == 1 {
				if curve := Curve(parts[2].Value[0]); curve.known() {
					c.Curves = append(c.Curves, curve)
				}
			}
		case string(oidChip):
			c.Chip = c.Chip || isInteger(parts[1], 1)
		case string(oidPublicKey):
			key, err := x509.ParsePKIXPublicKey(iso7816.Encode(parts[1].Tag, parts[1].Value))
			if err != nil {
				continue // another curve
			}
			if key, ok := key.(*ecdsa.PublicKey); ok && key.Params().BitSize == 256 {
				c.ChipKey = key
			}
		}
	}
	return c, nil
}

func isInteger(o iso7816.Object, n byte) bool {
	return o.Tag == 0x02 && len(o.Value) == 1 && o.Value[0] == n
}
