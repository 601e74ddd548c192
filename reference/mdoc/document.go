package mdoc

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// MaxResponse is the largest response that is read: a portrait of 200 KB and the
// rest.
const MaxResponse = 256 << 10

// item is one IssuerSignedItemBytes (§8.3.2.1.2.2).
type item struct {
	raw      []byte // with the tag: the digest is over these bytes
	digestID uint64
	name     []byte
	value    []byte // encoded
}

// issuerSigned is a card, or what is shown of it.
type issuerSigned struct {
	namespace  string // empty if no element is shown
	items      []item
	issuerAuth []byte
}

// document is one document of a DeviceResponse.
type document struct {
	docType          string
	issuer           issuerSigned
	deviceNameSpaces []byte // with the tag
	deviceAuth       []byte
	mac              bool
	withheld         []string // names of elements that were asked for and not returned
}

// deviceResponse is a DeviceResponse (§8.3.2.1.2.2).
type deviceResponse struct {
	documents []*document
	missing   []string // types of documents that were asked for and not returned
}

// maxDocuments is how many documents a response may have, and a request ask for.
const maxDocuments = 8

func (s *issuerSigned) read(r *cose.Reader) {
	r.Fields(func(key []byte) {
		switch string(key) {
		case "nameSpaces":
			if r.Map() != 1 {
				r.Fail("elements of one namespace are expected")
				return
			}
			s.namespace = text(r)
			n := r.Array()
			if n == 0 || n > maxElements {
				r.Fail("%d elements; 1 to %d are expected", n, maxElements)
				return
			}
			s.items = make([]item, 0, n)
			var items itemReader
			for i := 0; i < n && r.Err() == nil; i++ {
				s.items = append(s.items, items.read(r))
			}
		case "issuerAuth":
			s.issuerAuth = r.Skip()
		default:
			// Passed over, a misspelt nameSpaces would be a card that shows nothing.
			r.Fail("%q is no part of an issuer-signed document", key)
		}
	})
	if s.issuerAuth == nil {
		r.Fail("no issuerAuth")
	}
}

// itemReader reads the items of a card one after the other.
type itemReader struct {
	in     cose.Reader
	it     item
	salt   []byte
	digest bool
}

func (ir *itemReader) read(r *cose.Reader) item {
	ir.it, ir.salt, ir.digest = item{raw: r.Skip()}, nil, false
	if r.Err() != nil {
		return item{}
	}
	inner, err := cose.Untag24(ir.it.raw)
	if err != nil {
		r.Fail("an element is not wrapped: %v", err)
		return item{}
	}
	ir.in.Reset(inner)
	ir.in.Fields(ir.field)
	switch err := ir.in.End(); {
	case err != nil:
		r.Fail("an element: %v", err)
	case !ir.digest || ir.it.value == nil || len(ir.it.name) == 0:
		r.Fail("an element lacks its name, value or digest number")
	case len(ir.salt) < saltSize:
		r.Fail("the salt of %s has %d bytes; %d are the least", ir.it.name, len(ir.salt), saltSize)
	}
	return ir.it
}

func (ir *itemReader) field(key []byte) {
	switch string(key) {
	case "digestID":
		ir.it.digestID, ir.digest = ir.in.Uint(), true
	case "random":
		ir.salt = ir.in.Bytes()
	case "elementIdentifier":
		ir.it.name = ir.in.Text()
	case "elementValue":
		ir.it.value = ir.in.Skip()
	default:
		ir.in.Skip()
	}
}

func parseIssuerSigned(data []byte) (*issuerSigned, error) {
	if len(data) > MaxResponse {
		return nil, fmt.Errorf("%d bytes; a card has at most %d", len(data), MaxResponse)
	}
	s := &issuerSigned{}
	r := cose.NewReader(data)
	s.read(r)
	return s, r.End()
}

// parseResponse reads a DeviceResponse of status 0.
func parseResponse(data []byte) (*deviceResponse, error) {
	if len(data) > MaxResponse {
		return nil, fmt.Errorf("%d bytes; a response has at most %d", len(data), MaxResponse)
	}
	d := &deviceResponse{}
	var ver []byte
	status := uint64(1)
	r := cose.NewReader(data)
	r.Fields(func(key []byte) {
		switch string(key) {
		case "version":
			ver = r.Text()
		case "documents":
			n := r.Array()
			if r.Err() == nil && (n < 1 || n > maxDocuments) {
				r.Fail("%d documents; 1 to %d are expected", n, maxDocuments)
			}
			for i := 0; i < n && r.Err() == nil; i++ {
				d.documents = append(d.documents, readDocument(r))
			}
		case "documentErrors":
			n := r.Array()
			if n > maxDocuments {
				r.Fail("%d documents are missing; %d are the most that can be asked for", n, maxDocuments)
			}
			for i := 0; i < n && r.Err() == nil; i++ {
				r.Fields(func(docType []byte) {
					d.missing = append(d.missing, string(docType))
					r.Int()
				})
			}
		case "status":
			status = r.Uint()
		default:
			r.Skip()
		}
	})
	switch err := r.End(); {
	case err != nil:
		return nil, err
	case string(ver) != version:
		return nil, fmt.Errorf("version %q, not 1.0", ver)
	case status != 0:
		return nil, fmt.Errorf("the phone answers with status %d", status)
	}
	return d, nil
}

// only is the one document of a response that must have one.
func (d *deviceResponse) only() (*document, error) {
	switch {
	case len(d.documents) > 1:
		return nil, fmt.Errorf("%d documents; one is expected", len(d.documents))
	case len(d.documents) == 1:
		return d.documents[0], nil
	case len(d.missing) > 0:
		return nil, errors.New("the phone returned no document")
	}
	return nil, errors.New("no document")
}

func readDocument(r *cose.Reader) *document {
	d := &document{}
	r.Fields(func(key []byte) {
		switch string(key) {
		case "docType":
			d.docType = text(r)
		case "issuerSigned":
			d.issuer.read(r)
		case "deviceSigned":
			d.readDeviceSigned(r)
		case "errors":
			d.readErrors(r)
		default:
			r.Skip()
		}
	})
	if d.docType == "" || d.issuer.issuerAuth == nil || d.deviceAuth == nil {
		r.Fail("a document lacks docType, issuerSigned or deviceSigned")
	}
	return d
}

// readErrors reads which elements were asked for and not returned. The code says
// no more than that.
func (d *document) readErrors(r *cose.Reader) {
	r.Fields(func([]byte) {
		r.Fields(func(name []byte) {
			d.withheld = append(d.withheld, string(name))
			r.Int()
		})
	})
}

var noNameSpaces = cose.Tag24([]byte{0xa0})

func (d *document) readDeviceSigned(r *cose.Reader) {
	r.Fields(func(key []byte) {
		switch string(key) {
		case "nameSpaces":
			d.deviceNameSpaces = r.Skip()
			if r.Err() == nil && !bytes.Equal(d.deviceNameSpaces, noNameSpaces) {
				r.Fail("elements signed by the device: no card of ours allows them")
			}
		case "deviceAuth":
			if r.Map() != 1 {
				r.Fail("deviceAuth is a signature or a MAC")
				return
			}
			switch kind := r.Text(); string(kind) {
			case "deviceSignature":
			case "deviceMac":
				d.mac = true
			default:
				r.Fail("deviceAuth is a signature or a MAC, not %q", kind)
			}
			d.deviceAuth = r.Skip()
		default:
			r.Skip()
		}
	})
	if d.deviceNameSpaces == nil {
		r.Fail("deviceSigned lacks nameSpaces")
	}
}

// checkDigests compares every element shown with its digest.
func (s *issuerSigned) checkDigests(m *mso) error {
	if s.items == nil {
		return nil
	}
	digests := m.of(s.namespace)
	for i := range s.items {
		it := &s.items[i]
		if want := find(digests, it.digestID); want == nil || sha256.Sum256(it.raw) != want.digest {
			return refuse(ErrDigest, "%s", it.name)
		}
		for j := range s.items[:i] {
			if bytes.Equal(s.items[j].name, it.name) {
				return refuse(ErrMalformed, "%s is shown twice", it.name)
			}
		}
	}
	return nil
}

// deviceAuthentication is DeviceAuthenticationBytes (§9.1.3.4), over which the
// phone signs.
func deviceAuthentication(transcript []byte, docType string, nameSpaces []byte) []byte {
	return appendDeviceAuthentication(nil, transcript, docType, nameSpaces)
}

func appendDeviceAuthentication(b, transcript []byte, docType string, nameSpaces []byte) []byte {
	var room [deviceAuthenticationSize]byte
	item := cose.AppendArray(room[:0], 4)
	item = cose.AppendText(item, "DeviceAuthentication")
	item = append(item, transcript...)
	item = cose.AppendText(item, docType)
	return cose.AppendTag24(b, append(item, nameSpaces...))
}

// deviceAuthenticationSize is room for it in a session over the network.
const deviceAuthenticationSize = 256

// text reads a text string. Those that stand on every card are not copied.
func text(r *cose.Reader) string {
	b := r.Text()
	if string(b) == DocType {
		return DocType
	}
	return string(b)
}
