package oracle

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxListBytes bounds a decompressed status list: 2^24 entries of two bits,
// four times over.
const maxListBytes = 1 << 24

// statusToken is a status list token in JWT form (Token Status List §5.1).
// Its signature is not this package's business: a list nobody would accept
// never reaches a verifier's verdict.
type statusToken struct {
	uri      string
	issued   time.Time
	expires  time.Time // zero: never
	ttl      time.Duration
	bits     int
	lst      string // base64url of the zlib stream
	register uint64 // the register's sequence number it shows
}

func parseToken(jwt []byte) (*statusToken, error) {
	part := bytes.Split(jwt, []byte("."))
	if len(part) != 3 {
		return nil, errors.New("the status list token is not a compact JWT of three parts")
	}
	var header struct{ Typ string }
	var claims struct {
		Sub        string   `json:"sub"`
		Iat        float64  `json:"iat"`
		Exp        *float64 `json:"exp"`
		TTL        float64  `json:"ttl"`
		Register   *uint64  `json:"register_seq"`
		StatusList *struct {
			Bits int    `json:"bits"`
			Lst  string `json:"lst"`
		} `json:"status_list"`
	}
	for i, into := range []any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(string(part[i]))
		if err != nil {
			return nil, fmt.Errorf("part %d of the status list token is not base64url", i+1)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return nil, fmt.Errorf("part %d of the status list token: %w", i+1, err)
		}
	}
	switch {
	case header.Typ != "statuslist+jwt":
		return nil, fmt.Errorf("the token's typ is %q, not statuslist+jwt", header.Typ)
	case claims.StatusList == nil:
		return nil, errors.New("the token has no claim status_list")
	case claims.Register == nil:
		return nil, errors.New("the token does not state its register_seq")
	case claims.Sub == "":
		return nil, errors.New("the token has no sub")
	}
	t := &statusToken{uri: claims.Sub, bits: claims.StatusList.Bits, lst: claims.StatusList.Lst, register: *claims.Register}
	const year10000 = 253402300799
	for _, s := range []float64{claims.Iat, claims.TTL} {
		if s < 0 || s > year10000 {
			return nil, errors.New("the token's times are out of range")
		}
	}
	t.issued = time.UnixMilli(int64(claims.Iat * 1000)).UTC()
	t.ttl = time.Duration(min(claims.TTL, 1e9) * float64(time.Second))
	if claims.Exp != nil {
		if *claims.Exp < 0 || *claims.Exp > year10000 {
			return nil, errors.New("the token's times are out of range")
		}
		t.expires = time.UnixMilli(int64(*claims.Exp * 1000)).UTC()
	}
	return t, nil
}

// inflate returns the packed list.
func (t *statusToken) inflate() ([]byte, error) {
	packed, err := base64.RawURLEncoding.DecodeString(t.lst)
	if err != nil {
		return nil, errors.New("the status list is not base64url")
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("the status list is no zlib stream: %w", err)
	}
	list, err := io.ReadAll(io.LimitReader(z, maxListBytes+1))
	if err != nil {
		return nil, fmt.Errorf("the status list does not decompress: %w", err)
	}
	if len(list) > maxListBytes {
		return nil, fmt.Errorf("the status list decompresses to more than %d bytes", maxListBytes)
	}
	return list, nil
}

// Values of a two-bit entry.
const (
	statusValid     = 0
	statusInvalid   = 1
	statusSuspended = 2
)

// entry reads a two-bit entry; bits run from the least significant.
func entry(list []byte, index uint64) (byte, bool) {
	if index/4 >= uint64(len(list)) {
		return 0, false
	}
	return list[index/4] >> (2 * (index % 4)) & 3, true
}

func setEntry(list []byte, index uint64, v byte) {
	shift := 2 * (index % 4)
	list[index/4] = list[index/4]&^(3<<shift) | v<<shift
}
