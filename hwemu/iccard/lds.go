package iccard

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"image/jpeg"
	"strings"
	"time"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/mrtd"
)

// ldsVersion and unicodeVersion stand in EF.COM and in the security object
// (Doc 9303-10 §4.6.1).
const (
	ldsVersion     = "0108"
	unicodeVersion = "040000"
)

// Holder is what is put on a card.
type Holder struct {
	DocumentNumber string // printed number: up to 22 of A-Z, 0-9
	Surname        string // Hangul or Latin
	GivenName      string
	BirthDate      time.Time // civil date; the time of day is not looked at
	Sex            byte      // 'M' or 'F'
	Issued         time.Time // civil dates, as BirthDate
	Expires        time.Time
	Address        string
	PersonalNumber string    // shown masked; may be empty
	Portrait       []byte    // JPEG
	Template       [512]int8 // of the face, as package camera enrols it
	PIN            string    // 4 to 8 digits
	// CAN is the card access number printed on the front, six digits. With one the
	// chip is protected: it tells nothing but how to open it to who has not shown
	// CAN, MRZ or PIN by PACE, or the MRZ by BAC. Empty: it is read in the clear.
	CAN string
}

// comFile is EF.COM.
func comFile(groups []byte) []byte {
	return iso7816.Encode(0x60,
		iso7816.Encode(0x5F01, []byte(ldsVersion)),
		iso7816.Encode(0x5F36, []byte(unicodeVersion)),
		iso7816.Encode(0x5C, groups))
}

// dg1 is the machine readable zone of a TD1 card (Doc 9303-5 §4.2).
func dg1(h Holder) ([]byte, error) {
	mrz, err := MRZ(h)
	if err != nil {
		return nil, err
	}
	return iso7816.Encode(0x61, iso7816.Encode(0x5F1F, []byte(mrz))), nil
}

// MRZ is the machine readable zone as printed, three lines of 30 in one string.
func MRZ(h Holder) (string, error) {
	number := h.DocumentNumber
	if number == "" || len(number) > 22 || strings.Trim(number, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		return "", fmt.Errorf("document number %q cannot be written in a machine readable zone (1 to 22 of A-Z, 0-9)", number)
	}
	if h.Sex != 'M' && h.Sex != 'F' {
		return "", fmt.Errorf("sex %q cannot be written in a machine readable zone (M or F)", h.Sex)
	}
	check := func(s string) string { return string(rune('0' + mrzCheck(s))) }
	line1 := "I<KOR"
	if len(number) <= 9 {
		field := fill(number, 9)
		line1 += field + check(field)
	} else { // Doc 9303-5 §4.2.2.1 note j: the rest follows in the optional data
		line1 += number[:9] + "<" + number[9:] + check(number)
	}
	line1 = fill(line1, 30)
	birth, expiry := h.BirthDate.Format("060102"), h.Expires.Format("060102")
	line2 := birth + check(birth) + string(rune(h.Sex)) + expiry + check(expiry) + "KOR" + fill("", 11)
	line2 += check(line1[5:30] + line2[0:7] + line2[8:15] + line2[18:29])
	line3 := fill(mrzName(h.Surname)+"<<"+mrzName(h.GivenName), 30)
	return line1 + line2 + line3, nil
}

func fill(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s + strings.Repeat("<", n-len(s))
}

// mrzCheck is the check digit of Doc 9303-3 §4.9: weights 7, 3, 1.
func mrzCheck(s string) int {
	sum := 0
	for i, c := range []byte(s) {
		v := 0
		switch {
		case c >= '0' && c <= '9':
			v = int(c - '0')
		case c >= 'A' && c <= 'Z':
			v = int(c-'A') + 10
		}
		sum += v * [3]int{7, 3, 1}[i%3]
	}
	return sum % 10
}

// Letters of the Revised Romanisation, syllable by syllable as passports write
// names: initials, vowels, finals in Unicode order (The Unicode Standard §3.12).
var (
	initials = strings.Fields("G KK N D TT R M B PP S SS _ J JJ CH K T P H")
	vowels   = strings.Fields("A AE YA YAE EO E YEO YE O WA WAE OE YO U WO WE WI YU EU UI I")
	finals   = strings.Fields("_ K K K N N N T L K M L L L P L M P P T T NG T T K T P T")
)

// mrzName writes a name in the letters of a machine readable zone.
func mrzName(name string) string {
	var out strings.Builder
	for _, r := range strings.ToUpper(name) {
		switch {
		case r >= 'A' && r <= 'Z':
			out.WriteRune(r)
		case r >= 0xAC00 && r <= 0xD7A3:
			k := int(r - 0xAC00)
			for _, part := range []string{initials[k/588], vowels[k%588/28], finals[k%28]} {
				out.WriteString(strings.Trim(part, "_"))
			}
		case r == ' ' || r == '-':
			out.WriteByte('<')
		}
	}
	return out.String()
}

// dg2 is the portrait: an ISO/IEC 19794-5:2005 facial record in a CBEFF template
// (Doc 9303-10 §4.7.2).
func dg2(portrait []byte, sex byte) ([]byte, error) {
	config, err := jpeg.DecodeConfig(bytes.NewReader(portrait))
	if err != nil {
		return nil, fmt.Errorf("the portrait is no JPEG: %w", err)
	}
	gender := byte(1)
	if sex == 'F' {
		gender = 2
	}
	const headerSize, facialSize, imageSize = 14, 20, 12
	total := headerSize + facialSize + imageSize + len(portrait)
	record := append(make([]byte, 0, total), "FAC\x00010\x00"...)
	record = binary.BigEndian.AppendUint32(record, uint32(total))
	record = binary.BigEndian.AppendUint16(record, 1) // faces
	record = binary.BigEndian.AppendUint32(record, uint32(total-headerSize))
	record = binary.BigEndian.AppendUint16(record, 0)                                      // feature points
	record = append(record, gender, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)                 // colours, features, expression, pose
	record = append(record, 1, 0)                                                          // full frontal, JPEG
	record = binary.BigEndian.AppendUint16(record, uint16(config.Width))                   //
	record = binary.BigEndian.AppendUint16(record, uint16(config.Height))                  //
	record = append(record, 3 /* grey, 8 bits */, 0 /* source: unspecified */, 0, 0, 0, 0) // device, quality
	record = append(record, portrait...)
	header := iso7816.Encode(0xA1,
		iso7816.Encode(0x80, []byte{0x01, 0x01}), // ICAO header version
		iso7816.Encode(0x81, []byte{0x02}),       // facial features
		iso7816.Encode(0x82, []byte{0x00}),
		iso7816.Encode(0x87, []byte{0x01, 0x01}), // format owner: ISO/IEC JTC 1/SC 37
		iso7816.Encode(0x88, []byte{0x00, 0x08})) // format: face image
	return iso7816.Encode(0x75, iso7816.Encode(0x7F61,
		iso7816.Encode(0x02, []byte{1}),
		iso7816.Encode(0x7F60, header, iso7816.Encode(0x5F2E, record)))), nil
}

// dg11 is additional personal details (§4.7.11).
func dg11(h Holder) []byte {
	list, parts := []byte{}, [][]byte{}
	add := func(tag iso7816.Tag, value string) {
		if value != "" {
			list = append(list, byte(tag>>8), byte(tag))
			parts = append(parts, iso7816.Encode(tag, []byte(value)))
		}
	}
	add(0x5F0E, h.Surname+"<<"+h.GivenName)
	add(0x5F10, h.PersonalNumber)
	add(0x5F2B, h.BirthDate.Format("20060102"))
	add(0x5F42, h.Address)
	return iso7816.Encode(0x6B, append([][]byte{iso7816.Encode(0x5C, list)}, parts...)...)
}

// dg12 is additional document details (§4.7.12).
func dg12(h Holder) []byte {
	return iso7816.Encode(0x6C,
		iso7816.Encode(0x5C, []byte{0x5F, 0x19, 0x5F, 0x26}),
		iso7816.Encode(0x5F19, []byte(issuingAuthority)),
		iso7816.Encode(0x5F26, []byte(h.Issued.Format("20060102"))))
}

// dg13 is optional details (§4.7.13), ours to define: version and the SHA-256 of
// the face template, which so comes under the signature of EF.SOD.
func dg13(template []byte) []byte {
	hash := sha256.Sum256(template)
	return iso7816.Encode(0x6D, iso7816.Encode(0x80, []byte{1}), iso7816.Encode(0x81, hash[:]))
}

// dg14 names the algorithm of active authentication (Doc 9303-11 §9.2.2), and
// what else the chip can do.
func dg14(others ...[]byte) []byte {
	info := must(asn1.Marshal(struct {
		Protocol           asn1.ObjectIdentifier
		Version            int
		SignatureAlgorithm asn1.ObjectIdentifier
	}{asn1.ObjectIdentifier{2, 23, 136, 1, 1, 5}, 1, asn1.ObjectIdentifier{0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 3}}))
	return iso7816.Encode(0x6E, mrtd.SecurityInfos(append(others, info)...))
}

// dg15 is the chip's public key as SubjectPublicKeyInfo (§4.7.15).
func dg15(key *ecdsa.PublicKey) []byte {
	return iso7816.Encode(0x6F, must(x509.MarshalPKIXPublicKey(key)))
}

// must is for encodings of our own values, which cannot fail.
func must(b []byte, err error) []byte {
	if err != nil {
		panic("iccard: " + err.Error())
	}
	return b
}
