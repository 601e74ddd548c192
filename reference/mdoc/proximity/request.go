package proximity

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/mdoc/cose"
)

// Limits of a request.
const (
	MaxRequest   = 32 << 10
	maxDocuments = 8
	maxElements  = 128 // of one document
)

// Request is a DeviceRequest: the documents that a reader wants to see.
type Request struct {
	Documents []DocumentRequest
}

// DocumentRequest asks for elements of one type of document.
type DocumentRequest struct {
	DocType  string
	Elements []ElementRequest

	items      []byte // ItemsRequestBytes as they came
	readerAuth []byte
}

// ElementRequest asks for one element. Retain says that the reader means to keep
// it longer than the transaction takes.
type ElementRequest struct {
	Namespace, Name string
	Retain          bool
}

// Why a request's reader is not known by name (errors.Is); a certificate that is
// not trusted or out of its time is mdoc.ErrUntrusted or mdoc.ErrSignerExpired.
var (
	// ErrAnonymous: the reader does not say who it is.
	ErrAnonymous = errors.New("the reader does not say who it is")
	// ErrReaderSignature: whoever asks is not the reader whose certificate is shown,
	// or it asked for something else, or in another session.
	ErrReaderSignature = errors.New("the request was not signed by this reader for this session")
)

// NewRequest makes a DeviceRequest. A reader that says who it is signs each document
// asked for over this session's transcript (§9.1.4); nil asks without a name.
func NewRequest(transcript []byte, reader mdoc.Signer, documents ...DocumentRequest) ([]byte, error) {
	if len(documents) == 0 || len(documents) > maxDocuments {
		return nil, fmt.Errorf("a request asks for 1 to %d documents, not %d", maxDocuments, len(documents))
	}
	b := cose.AppendMap(nil, 2)
	b = cose.AppendText(cose.AppendText(b, "version"), version)
	b = cose.AppendArray(cose.AppendText(b, "docRequests"), len(documents))
	for i := range documents {
		items, err := documents[i].encode()
		if err != nil {
			return nil, err
		}
		if reader == nil {
			b = append(cose.AppendText(cose.AppendMap(b, 1), "itemsRequest"), items...)
			continue
		}
		auth, err := cose.Sign1(reader, cose.Header{Chain: [][]byte{reader.Certificate()}}, readerAuthentication(transcript, items), true)
		if err != nil {
			return nil, fmt.Errorf("the reader's key: %w", err)
		}
		b = cose.AppendMap(b, 2)
		b = append(cose.AppendText(b, "readerAuth"), auth...)
		b = append(cose.AppendText(b, "itemsRequest"), items...)
	}
	if len(b) > MaxRequest {
		return nil, fmt.Errorf("a request of %d bytes; %d are the most", len(b), MaxRequest)
	}
	return b, nil
}

// encode makes ItemsRequestBytes, with the keys in their order.
func (d *DocumentRequest) encode() ([]byte, error) {
	if d.DocType == "" || len(d.Elements) == 0 || len(d.Elements) > maxElements {
		return nil, fmt.Errorf("a document is asked for by its type and 1 to %d elements: %q, %d", maxElements, d.DocType, len(d.Elements))
	}
	sorted := slices.Clone(d.Elements)
	slices.SortFunc(sorted, func(a, b ElementRequest) int {
		if c := cose.CompareText(a.Namespace, b.Namespace); c != 0 {
			return c
		}
		return cose.CompareText(a.Name, b.Name)
	})
	var spaces [][]ElementRequest
	for i, e := range sorted {
		switch {
		case e.Name == "" || e.Namespace == "":
			return nil, fmt.Errorf("an element of %s has no name or no namespace", d.DocType)
		case i == 0 || sorted[i-1].Namespace != e.Namespace:
			spaces = append(spaces, nil)
		case sorted[i-1].Name == e.Name:
			return nil, fmt.Errorf("%s is asked for twice", e.Name)
		}
		last := &spaces[len(spaces)-1]
		*last = append(*last, e)
	}
	b := cose.AppendMap(nil, 2)
	b = cose.AppendText(cose.AppendText(b, "docType"), d.DocType)
	b = cose.AppendMap(cose.AppendText(b, "nameSpaces"), len(spaces))
	for _, elements := range spaces {
		b = cose.AppendMap(cose.AppendText(b, elements[0].Namespace), len(elements))
		for _, e := range elements {
			b = cose.AppendBool(cose.AppendText(b, e.Name), e.Retain)
		}
	}
	return cose.Tag24(b), nil
}

// readerAuthentication is ReaderAuthenticationBytes (§9.1.4.5), over which a reader
// signs.
func readerAuthentication(transcript, items []byte) []byte {
	b := cose.AppendArray(make([]byte, 0, len(transcript)+len(items)+32), 3)
	b = append(cose.AppendText(b, "ReaderAuthentication"), transcript...)
	return cose.Tag24(append(b, items...))
}

// ErrNotARequest: the request is CBOR and well formed, but not what the standard
// says.
var ErrNotARequest = errors.New("the request is not a device request")

// ParseRequest reads a DeviceRequest. What the phone answers when it cannot is
// RequestStatus.
func ParseRequest(data []byte) (*Request, error) {
	if len(data) > MaxRequest {
		return nil, fmt.Errorf("the request: %d bytes; %d are the most", len(data), MaxRequest)
	}
	whole := cose.NewReader(data)
	whole.Skip()
	if err := whole.End(); err != nil {
		return nil, fmt.Errorf("the request: %w", err)
	}
	q, ver := &Request{}, ""
	r := cose.NewReader(data)
	r.Fields(func(key []byte) {
		switch string(key) {
		case "version":
			ver = string(r.Text())
		case "docRequests":
			n := r.Array()
			if r.Err() == nil && (n < 1 || n > maxDocuments) {
				r.Fail("%d documents are asked for; 1 to %d may be", n, maxDocuments)
			}
			for i := 0; i < n && r.Err() == nil; i++ {
				q.Documents = append(q.Documents, readDocumentRequest(r))
			}
		default:
			r.Skip()
		}
	})
	switch err := r.End(); {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNotARequest, err)
	case ver != version:
		return nil, fmt.Errorf("%w: version %q, not 1.0", ErrNotARequest, ver)
	case len(q.Documents) == 0:
		return nil, fmt.Errorf("%w: it asks for nothing", ErrNotARequest)
	}
	return q, nil
}

// RequestStatus is the status of the response to a request that ParseRequest
// refused.
func RequestStatus(err error) mdoc.ResponseStatus {
	if errors.Is(err, ErrNotARequest) {
		return mdoc.StatusNotARequest
	}
	return mdoc.StatusNotCBOR
}

func readDocumentRequest(r *cose.Reader) (d DocumentRequest) {
	r.Fields(func(key []byte) {
		switch string(key) {
		case "itemsRequest":
			d.items = r.Skip()
		case "readerAuth":
			d.readerAuth = r.Skip()
		default:
			r.Skip()
		}
	})
	if r.Err() != nil {
		return d
	}
	inner, err := cose.Untag24(d.items)
	if err != nil {
		r.Fail("itemsRequest is missing or not wrapped: %v", err)
		return d
	}
	in := cose.NewReader(inner)
	in.Fields(func(key []byte) {
		switch string(key) {
		case "docType":
			d.DocType = string(in.Text())
		case "nameSpaces":
			in.Fields(func(namespace []byte) {
				in.Fields(func(name []byte) {
					d.Elements = append(d.Elements, ElementRequest{string(namespace), string(name), in.Bool()})
				})
				if len(d.Elements) > maxElements {
					in.Fail("more than %d elements", maxElements)
				}
			})
		default:
			in.Skip() // requestInfo
		}
	})
	if err := in.End(); err != nil {
		r.Fail("itemsRequest: %v", err)
	} else if d.DocType == "" || len(d.Elements) == 0 {
		r.Fail("itemsRequest names no document or no element")
	}
	return d
}

// Reader checks who asks (§9.1.4): the name in the certificate of the reader that
// signed this request for this session. Anchors are the authorities of readers.
func (d *DocumentRequest) Reader(transcript []byte, anchors *mdoc.TrustAnchors, at time.Time) (name string, err error) {
	if d.readerAuth == nil {
		return "", ErrAnonymous
	}
	m, err := cose.Parse(d.readerAuth)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrReaderSignature, err)
	}
	if m.Payload != nil {
		return "", fmt.Errorf("%w: it carries a payload, which must be detached", ErrReaderSignature)
	}
	name, key, err := anchors.Reader(m.Chain, at)
	if err != nil {
		return "", err
	}
	if !m.VerifySignature(key, readerAuthentication(transcript, d.items)) {
		return "", ErrReaderSignature
	}
	return name, nil
}
