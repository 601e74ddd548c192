package mdoc

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// DocType and Namespace name the card and its elements; they are our own.
const (
	DocType   = "kr.go.rollcall.rrc.1"
	Namespace = "kr.go.rollcall.rrc.1"
)

// Element is one claim of the card. Its value is a string, []byte, bool, int64,
// Date, time.Time, or a []any or map[string]any of these.
type Element struct {
	Name  string
	Value any
}

// Date is a calendar date, "2006-01-02" (full-date, RFC 8943 tag 1004).
type Date string

// DateOf is the date of t where t is.
func DateOf(t time.Time) Date { return Date(t.Format(time.DateOnly)) }

// Card is the content of a card, from which its elements are made.
type Card struct {
	FamilyName        string
	GivenName         string
	BirthDate         Date
	Sex               int    // 1 male, 2 female (ISO/IEC 5218)
	ResidentNumber    string // YYMMDD-SNNNNNN
	Address           string
	Municipality      string // code of the registered municipality
	Portrait          []byte // JPEG or JPEG 2000
	IssueDate         Date
	SigningDate       Date // on which the ages are completed; empty: IssueDate
	ExpiryDate        Date
	IssuingAuthority  string
	DocumentNumber    string // of this mobile card
	PlasticCardNumber string // of the plastic card it hangs on
}

// adultAges are the ages at which something begins or ends: criminal
// responsibility, a resident card, majority, seniors' benefits.
var adultAges = [...]int{14, 17, 18, 19, 20, 60, 65}

// Elements lists the card's claims, each to be disclosed by itself. The ages are
// those completed on the date of signing.
func (c Card) Elements() ([]Element, error) {
	born, err := time.Parse(time.DateOnly, string(c.BirthDate))
	if err != nil {
		return nil, fmt.Errorf("birth date %q is not a date (YYYY-MM-DD)", c.BirthDate)
	}
	issued, err := time.Parse(time.DateOnly, string(c.IssueDate))
	if err != nil {
		return nil, fmt.Errorf("issue date %q is not a date (YYYY-MM-DD)", c.IssueDate)
	}
	signed := issued
	if c.SigningDate != "" {
		if signed, err = time.Parse(time.DateOnly, string(c.SigningDate)); err != nil {
			return nil, fmt.Errorf("signing date %q is not a date (YYYY-MM-DD)", c.SigningDate)
		}
	}
	out := []Element{
		{"family_name", c.FamilyName},
		{"given_name", c.GivenName},
		{"birth_date", c.BirthDate},
		{"sex", int64(c.Sex)},
		{"nationality", "KR"},
		{"resident_registration_number", c.ResidentNumber},
		{"resident_registration_number_masked", Masked(c.ResidentNumber)},
		{"resident_address", c.Address},
		{"resident_municipality", c.Municipality},
		{"portrait", c.Portrait},
		{"issue_date", c.IssueDate},
		{"expiry_date", c.ExpiryDate},
		{"issuing_authority", c.IssuingAuthority},
		{"issuing_country", "KR"},
		{"document_number", c.DocumentNumber},
		{"plastic_card_number", c.PlasticCardNumber},
	}
	for _, years := range adultAges {
		out = append(out, Element{fmt.Sprintf("age_over_%d", years), !born.AddDate(years, 0, 0).After(signed)})
	}
	return out, nil
}

// ElementNames lists the names of the card's elements, in its order.
func ElementNames() (names []string) {
	elements, err := Card{BirthDate: "2000-01-01", IssueDate: "2000-01-01"}.Elements()
	if err != nil {
		panic(err) // both dates are good
	}
	for _, e := range elements {
		names = append(names, e.Name)
	}
	return names
}

// ownNames are those names, so that a reader need not copy them.
var ownNames = func() map[string]string {
	m := map[string]string{}
	for _, name := range ElementNames() {
		m[name] = name
	}
	return m
}()

// Hyphenated writes a resident registration number of 13 digits as people do:
// "900102-1234567".
func Hyphenated(number string) string {
	if len(number) == 13 {
		return number[:6] + "-" + number[6:]
	}
	return number
}

// Masked shows a resident registration number as it may be shown:
// "900102-1******".
func Masked(number string) string {
	const shown = len("900102-1")
	if len(number) <= shown {
		return strings.Repeat("*", len(number))
	}
	return number[:shown] + strings.Repeat("*", len(number)-shown)
}

const fullDate = 1004

// fullDateText begins a date.
var fullDateText = cose.AppendText(cose.AppendTag(nil, fullDate), "2006-01-02")[:4]

func encodeValue(v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return cose.AppendText(nil, v), nil
	case []byte:
		return cose.AppendBytes(nil, v), nil
	case Date:
		if _, err := time.Parse(time.DateOnly, string(v)); err != nil {
			return nil, fmt.Errorf("%q is not a date (YYYY-MM-DD)", string(v))
		}
		return cose.AppendText(cose.AppendTag(nil, fullDate), string(v)), nil
	case time.Time:
		return appendTime(nil, v), nil
	case []any:
		b := cose.AppendArray(nil, len(v))
		for _, e := range v {
			item, err := encodeValue(e)
			if err != nil {
				return nil, err
			}
			b = append(b, item...)
		}
		return b, nil
	case map[string]any:
		raw := make(map[string]cbor.RawMessage, len(v))
		for k, e := range v {
			item, err := encodeValue(e)
			if err != nil {
				return nil, err
			}
			raw[k] = item
		}
		return cose.Marshal(raw)
	case bool, int, int64, uint64:
		return cose.Marshal(v)
	}
	return nil, fmt.Errorf("a %T cannot stand on a card", v)
}

func decodeValue(raw []byte) (any, error) {
	r := cose.NewReader(raw)
	switch kind := raw[0]; { // the usual kinds without reflection
	case kind>>5 == 2:
		b := bytes.Clone(r.Bytes())
		return b, r.End()
	case kind>>5 == 3:
		s := string(r.Text())
		return s, r.End()
	case kind == 0xf4 || kind == 0xf5:
		v := r.Bool()
		return v, r.End()
	case bytes.HasPrefix(raw, fullDateText):
		r.Tag(fullDate)
		s := Date(r.Text())
		return s, r.End()
	}
	var v any
	if err := cose.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	return plain(v), nil
}

// plain turns what the decoder makes into the types that Element promises.
func plain(v any) any {
	switch v := v.(type) {
	case cbor.Tag:
		if s, ok := v.Content.(string); ok && v.Number == fullDate {
			return Date(s)
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	}
	return v
}

// appendTime appends a tdate: whole seconds, UTC, no fraction (§9.1.2.4).
func appendTime(b []byte, t time.Time) []byte {
	return cose.AppendText(cose.AppendTag(b, 0), t.UTC().Format(tdate))
}

const tdate = "2006-01-02T15:04:05Z"
