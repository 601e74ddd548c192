package mdoc

import (
	"crypto/sha256"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// OpenID4VPTranscript is the SessionTranscript of a presentation by OpenID4VP 1.0
// (Appendix B.2.6.1): it binds the phone's signature to this verifier, this request
// and the place of the answer. jwkThumbprint is the SHA-256 thumbprint (RFC 7638) of
// the key the answer is encrypted to; nil if it is not encrypted.
func OpenID4VPTranscript(clientID, nonce string, jwkThumbprint []byte, responseURI string) []byte {
	info := cose.AppendArray(nil, 4)
	info = cose.AppendText(info, clientID)
	info = cose.AppendText(info, nonce)
	info = appendOptional(info, jwkThumbprint)
	info = cose.AppendText(info, responseURI)
	return handover("OpenID4VPHandover", info)
}

// OpenID4VPDCAPITranscript is that of a presentation through the Digital
// Credentials API (Appendix B.2.6.2).
func OpenID4VPDCAPITranscript(origin, nonce string, jwkThumbprint []byte) []byte {
	info := cose.AppendArray(nil, 3)
	info = cose.AppendText(info, origin)
	info = cose.AppendText(info, nonce)
	info = appendOptional(info, jwkThumbprint)
	return handover("OpenID4VPDCAPIHandover", info)
}

const null = 0xf6

func appendOptional(b, s []byte) []byte {
	if s == nil {
		return append(b, null)
	}
	return cose.AppendBytes(b, s)
}

// handover is a SessionTranscript without device engagement and reader key.
func handover(name string, info []byte) []byte {
	b := append(cose.AppendArray(nil, 3), null, null)
	b = cose.AppendText(cose.AppendArray(b, 2), name)
	hash := sha256.Sum256(info)
	return cose.AppendBytes(b, hash[:])
}

const maxTranscript = 16 << 10

// checkTranscript sees to it that a transcript is one array of three, so that what
// is signed after it cannot be shifted.
func checkTranscript(transcript []byte) error {
	if len(transcript) > maxTranscript {
		return refuse(ErrMalformed, "a session transcript of %d bytes", len(transcript))
	}
	r := cose.NewReader(transcript)
	if r.Array() != 3 {
		r.Fail("a session transcript is an array of three")
	}
	for range 3 {
		r.Skip()
	}
	if err := r.End(); err != nil {
		return malformed("the session transcript", err)
	}
	return nil
}
