package mrtd

import (
	"crypto/elliptic"
	"errors"
	"fmt"
	"math/big"

	"filippo.io/nistec"
	"github.com/ProtonMail/go-crypto/brainpool"
)

// Curve is a set of standardised domain parameters (Doc 9303-11 §9.5.1).
type Curve byte

const (
	P256            Curve = 12
	BrainpoolP256r1 Curve = 13
)

// Curves are those that this package can do.
var Curves = []Curve{P256, BrainpoolP256r1}

const (
	fieldSize  = 32
	scalarSize = 32
	pointSize  = 1 + 2*fieldSize
)

// ErrPoint means that the other side sent no point of the curve, or one that
// gives everything away.
var ErrPoint = errors.New("mrtd: this is no usable point of the curve")

// known says whether a number of parameters is one of Curves.
func (c Curve) known() bool { return c == P256 || c == BrainpoolP256r1 }

// String is the name of the curve.
func (c Curve) String() string {
	switch c {
	case P256:
		return "P-256"
	case BrainpoolP256r1:
		return "brainpoolP256r1"
	}
	return fmt.Sprintf("parameters %d", byte(c))
}

func (c Curve) params() *elliptic.CurveParams {
	if c == P256 {
		return elliptic.P256().Params()
	}
	return brainpool.P256r1().Params()
}

// Scalar makes a private key of 40 or more random bytes: the excess makes the
// bias of the reduction negligible (FIPS 186-5 §A.2.1).
func (c Curve) Scalar(random []byte) []byte {
	if len(random) < ScalarRandom {
		panic("mrtd: a private key needs 40 random bytes")
	}
	n := new(big.Int).Sub(c.params().N, big.NewInt(1))
	k := new(big.Int).SetBytes(random)
	k.Mod(k, n).Add(k, big.NewInt(1))
	return k.FillBytes(make([]byte, scalarSize))
}

// ScalarRandom is how many random bytes Scalar needs.
const ScalarRandom = 40

// Public is the point of a private key.
func (c Curve) Public(scalar []byte) ([]byte, error) { return c.multiply(c.generator(), scalar) }

func (c Curve) generator() []byte {
	p := c.params()
	return encodePoint(p.Gx, p.Gy)
}

func encodePoint(x, y *big.Int) []byte {
	out := make([]byte, pointSize)
	out[0] = 4
	x.FillBytes(out[1 : 1+fieldSize])
	y.FillBytes(out[1+fieldSize:])
	return out
}

// multiply and add work on uncompressed points, which they check. The point at
// infinity is refused as input and as result.

func (c Curve) multiply(point, scalar []byte) ([]byte, error) {
	if c == P256 {
		p, err := nistPoint(point)
		if err != nil {
			return nil, err
		}
		if p, err = nistec.NewP256Point().ScalarMult(p, scalar); err != nil {
			return nil, ErrPoint
		}
		return finite(p.Bytes())
	}
	x, y, err := brainpoolPoint(point)
	if err != nil {
		return nil, err
	}
	k := new(big.Int).SetBytes(scalar)
	if k.Mod(k, c.params().N).Sign() == 0 {
		return nil, ErrPoint
	}
	//lint:ignore SA1019 no other interface to this curve exists
	return encodePoint(brainpool.P256r1().ScalarMult(x, y, k.Bytes())), nil
}

func (c Curve) add(a, b []byte) ([]byte, error) {
	if c == P256 {
		p, err := nistPoint(a)
		if err != nil {
			return nil, err
		}
		q, err := nistPoint(b)
		if err != nil {
			return nil, err
		}
		return finite(nistec.NewP256Point().Add(p, q).Bytes())
	}
	x1, y1, err := brainpoolPoint(a)
	if err != nil {
		return nil, err
	}
	x2, y2, err := brainpoolPoint(b)
	if err != nil {
		return nil, err
	}
	if x1.Cmp(x2) == 0 {
		if y1.Cmp(y2) != 0 {
			return nil, ErrPoint // opposite points: their sum is at infinity
		}
		//lint:ignore SA1019 no other interface to this curve exists
		return encodePoint(brainpool.P256r1().Double(x1, y1)), nil
	}
	//lint:ignore SA1019 no other interface to this curve exists
	return encodePoint(brainpool.P256r1().Add(x1, y1, x2, y2)), nil
}

func finite(point []byte) ([]byte, error) {
	if len(point) != pointSize {
		return nil, ErrPoint
	}
	return point, nil
}

func nistPoint(b []byte) (*nistec.P256Point, error) {
	if len(b) != pointSize || b[0] != 4 {
		return nil, ErrPoint
	}
	p, err := nistec.NewP256Point().SetBytes(b)
	if err != nil {
		return nil, ErrPoint
	}
	return p, nil
}

func brainpoolPoint(b []byte) (x, y *big.Int, err error) {
	if len(b) != pointSize || b[0] != 4 {
		return nil, nil, ErrPoint
	}
	p := BrainpoolP256r1.params().P
	x, y = new(big.Int).SetBytes(b[1:1+fieldSize]), new(big.Int).SetBytes(b[1+fieldSize:])
	//lint:ignore SA1019 no other interface to this curve exists
	if x.Cmp(p) >= 0 || y.Cmp(p) >= 0 || !brainpool.P256r1().IsOnCurve(x, y) {
		return nil, nil, ErrPoint
	}
	return x, y, nil
}

// Agree is the shared secret of a private key and the other side's point: the
// x-coordinate (BSI TR-03111 §4.3.1).
func (c Curve) Agree(scalar, point []byte) ([]byte, error) {
	shared, err := c.multiply(point, scalar)
	if err != nil {
		return nil, err
	}
	return shared[1 : 1+fieldSize], nil
}
