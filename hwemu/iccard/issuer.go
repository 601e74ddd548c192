package iccard

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"time"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/mrtd"
)

const issuingAuthority = "Ministry of the Interior and Safety"

// IssuerKit is what the card plant holds: a document signer under the country's
// signing authority, and the secret from which resetting codes are made.
type IssuerKit struct {
	// CountryCA and DocumentSigner are certificates in DER (Doc 9303-12 §7.1).
	CountryCA, DocumentSigner []byte

	authority   *ecdsa.PrivateKey
	country     *x509.Certificate
	signer      *ecdsa.PrivateKey
	certificate *x509.Certificate
	secret      []byte

	seed   []byte
	from   time.Time
	signed int // how many document signers came before
}

// Lives of certificates: a country signing authority signs for three to five
// years, and its last document signer's cards live ten (Doc 9303-12 §4.1).
const (
	countryYears = 15
	signerYears  = 10
)

// ListLife is how long a list of revoked document signers is good: a country makes one
// every ninety days at the latest, also when nothing was revoked (Doc 9303-12).
const ListLife = 90 * 24 * time.Hour

// NewIssuerKit makes authority and signer from a seed, valid from a day on. The
// same seed and day give the same kit, and another seed another country.
func NewIssuerKit(seed []byte, from time.Time) (*IssuerKit, error) {
	from = from.UTC().Truncate(time.Second)
	authority := keyFrom("country signing authority", seed)
	country := &x509.Certificate{
		SerialNumber: serial("country", seed), Subject: name("Resident Card Country Signing CA"),
		NotBefore: from, NotAfter: from.AddDate(countryYears, 0, 0),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		SignatureAlgorithm: x509.ECDSAWithSHA256,
	}
	countryDER, err := x509.CreateCertificate(nil, country, country, &authority.PublicKey, authority)
	if err != nil {
		return nil, fmt.Errorf("iccard: country certificate: %w", err)
	}
	if country, err = x509.ParseCertificate(countryDER); err != nil {
		return nil, fmt.Errorf("iccard: country certificate: %w", err)
	}
	secret := sha256.Sum256(append([]byte("resetting codes\x00"), seed...))
	k := &IssuerKit{CountryCA: countryDER, authority: authority, country: country, secret: secret[:], seed: bytes.Clone(seed), from: from}
	return k, k.certify(from)
}

func name(common string) pkix.Name {
	return pkix.Name{Country: []string{"KR"}, Organization: []string{issuingAuthority}, CommonName: common}
}

func serial(label string, seed []byte) *big.Int {
	h := sha256.Sum256(append([]byte(label), seed...))
	h[0] &= 0x7F
	h[0] |= 0x40
	return new(big.Int).SetBytes(h[:16])
}

// Next is the kit with the document signer that follows, valid from a day on: under the
// same authority, for cards that are printed once the one before was revoked.
func (k *IssuerKit) Next(from time.Time) (*IssuerKit, error) {
	next := *k
	next.signed++
	return &next, next.certify(from.UTC().Truncate(time.Second))
}

// certify makes the kit's document signer.
func (k *IssuerKit) certify(from time.Time) error {
	seed := k.seed
	if k.signed > 0 {
		seed = fmt.Appendf(bytes.Clone(seed), "\x00%d", k.signed)
	}
	k.signer = keyFrom("document signer", seed)
	// Document type list (Doc 9303-12 table 6): what this signer signs.
	types := iso7816.Encode(0x30, must(asn1.Marshal(0)), iso7816.Encode(0x31, iso7816.Encode(0x13, []byte("I"))))
	document := &x509.Certificate{
		SerialNumber: serial("signer", seed), Subject: name("Resident Card Document Signer"),
		NotBefore: from, NotAfter: from.AddDate(signerYears, 3, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, SignatureAlgorithm: x509.ECDSAWithSHA256,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 23, 136, 1, 1, 6, 2}, Value: types}},
	}
	var err error
	if k.DocumentSigner, err = x509.CreateCertificate(nil, document, k.country, &k.signer.PublicKey, k.authority); err == nil {
		k.certificate, err = x509.ParseCertificate(k.DocumentSigner)
	}
	if err != nil {
		return fmt.Errorf("iccard: document signer certificate: %w", err)
	}
	return nil
}

// Serial is the number of the document signer's certificate.
func (k *IssuerKit) Serial() *big.Int { return k.certificate.SerialNumber }

// RevocationList is the country's list of document signers that it has taken back, DER
// (RFC 5280 §5; profile of Doc 9303-12), as it stands at a time and for ListLife. Of two,
// the later one has the higher number.
func (k *IssuerKit) RevocationList(at time.Time, revoked ...x509.RevocationListEntry) ([]byte, error) {
	at = at.UTC().Truncate(time.Second)
	der, err := x509.CreateRevocationList(nil, &x509.RevocationList{
		Number: big.NewInt(at.Unix()), ThisUpdate: at, NextUpdate: at.Add(ListLife), SignatureAlgorithm: x509.ECDSAWithSHA256,
		RevokedCertificateEntries: revoked,
	}, k.country, k.authority)
	if err != nil {
		return nil, fmt.Errorf("iccard: list of revoked document signers: %w", err)
	}
	return der, nil
}

// ResettingCode is the code with which a clerk resets the PIN of a card.
func (k *IssuerKit) ResettingCode(documentNumber string) []byte {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte(documentNumber))
	return mac.Sum(nil)[:resetCodeSize]
}

// Personalise writes a holder onto a blank chip, by APDUs alone, and activates
// it. A chip that was torn before it was active can be personalised again.
func (k *IssuerKit) Personalise(c *Card, h Holder) error {
	send := func(cmd iso7816.Command) ([]byte, error) {
		raw := c.Transmit(cmd.Bytes())
		if raw == nil {
			return nil, fmt.Errorf("the card left the field")
		}
		r, err := iso7816.ParseResponse(raw)
		if err != nil {
			return nil, err
		}
		return r.Data, r.Status.Err()
	}
	enter := func(aid string) error {
		cmd := iso7816.Command{Instruction: iso7816.Select, P1: 0x04, P2: 0x0C, Data: []byte(aid)}
		if aid == "" {
			cmd.P1 = 0
		}
		_, err := send(cmd)
		return err
	}
	if err := k.personalise(h, enter, send); err != nil {
		return fmt.Errorf("iccard: personalising card %s: %w", h.DocumentNumber, err)
	}
	return nil
}

func (k *IssuerKit) personalise(h Holder, enter func(string) error, send func(iso7816.Command) ([]byte, error)) error {
	if !validPIN([]byte(h.PIN)) {
		return fmt.Errorf("the PIN has to be 4 to 8 digits")
	}
	if h.CAN != "" && !validCAN([]byte(h.CAN)) {
		return fmt.Errorf("the card access number has to be %d digits", canSize)
	}
	template := make([]byte, len(h.Template))
	for i, v := range h.Template {
		template[i] = byte(v)
	}
	machineReadable, err := dg1(h)
	if err != nil {
		return err
	}
	portrait, err := dg2(h.Portrait, h.Sex)
	if err != nil {
		return err
	}

	if err := enter(EMRTD); err != nil {
		return err
	}
	generate := func(number byte) (*ecdsa.PublicKey, error) {
		point, err := send(iso7816.Command{Instruction: iso7816.GenerateKeyPair, P1: 0x80, P2: number, Expected: 256})
		if err != nil {
			return nil, fmt.Errorf("key pair: %w", err)
		}
		key, err := publicKey(point)
		if err != nil {
			return nil, fmt.Errorf("key pair: %w", err)
		}
		return key, nil
	}
	key, err := generate(0)
	if err != nil {
		return err
	}
	var infos [][]byte // of what a protected chip can do
	if h.CAN != "" {
		chip, err := generate(1)
		if err != nil {
			return err
		}
		if infos, err = mrtd.ChipInfos(chip); err != nil {
			return err
		}
		infos = append(infos, mrtd.PACEInfos(mrtd.Curves...)...)
	}

	groups := map[int][]byte{
		1: machineReadable, 2: portrait, 11: dg11(h), 12: dg12(h), 13: dg13(template), 14: dg14(infos...), 15: dg15(key),
	}
	files := map[string][]byte{
		"EF.DIR": append(
			iso7816.Encode(0x61, iso7816.Encode(0x4F, []byte(EMRTD))),
			iso7816.Encode(0x61, iso7816.Encode(0x4F, []byte(Resident)))...),
		// Extended length information (ISO/IEC 7816-4 §12.7.1): largest
		// command and response.
		"EF.ATR/INFO": iso7816.Encode(0x7F66,
			iso7816.Encode(0x02, []byte{bufferSize >> 8, bufferSize & 0xFF}),
			iso7816.Encode(0x02, []byte{bufferSize >> 8, bufferSize & 0xFF})),
		"EF.SOD":        k.securityObject(groups),
		"EF.CardNumber": []byte(h.DocumentNumber),
		"EF.Template":   template,
	}
	var tags []byte
	for n, content := range groups {
		tags = append(tags, content[0])
		files[fmt.Sprintf("EF.DG%d", n)] = content
	}
	slices.Sort(tags)
	files["EF.COM"] = comFile(tags)
	if h.CAN != "" {
		files["EF.CardAccess"] = mrtd.SecurityInfos(mrtd.PACEInfos(mrtd.Curves...)...)
		files["EF.CardSecurity"] = k.sign(oidSecurityInfos, mrtd.SecurityInfos(infos...))
	}

	for a := range layout {
		if err := enter(layout[a].aid); err != nil {
			return err
		}
		for _, f := range layout[a].files {
			if files[f.name] == nil {
				continue
			}
			if err := writeFile(send, f, files[f.name]); err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
		}
	}
	// The resident application is the last one, and still selected.
	loads := []iso7816.Command{
		{Instruction: iso7816.ChangeReferenceData, P1: 1, P2: referencePIN, Data: []byte(h.PIN)},
		{Instruction: iso7816.ChangeReferenceData, P1: 1, P2: referenceCode, Data: k.ResettingCode(h.DocumentNumber)},
	}
	if h.CAN != "" {
		mrz, err := MRZ(h)
		if err != nil {
			return err
		}
		secret, err := mrtd.MRZSecret(mrz)
		if err != nil {
			return err
		}
		loads = append(loads,
			iso7816.Command{Instruction: iso7816.ChangeReferenceData, P1: 1, P2: referenceCAN, Data: []byte(h.CAN)},
			iso7816.Command{Instruction: iso7816.ChangeReferenceData, P1: 1, P2: referenceMRZ, Data: secret})
	}
	for _, load := range append(loads, iso7816.Command{Instruction: iso7816.ActivateFile}) {
		if _, err := send(load); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(send func(iso7816.Command) ([]byte, error), f fileSpec, content []byte) error {
	id := []byte{byte(f.id >> 8), byte(f.id)}
	if _, err := send(iso7816.Command{Instruction: iso7816.Select, P1: 0x02, P2: 0x0C, Data: id}); err != nil {
		return err
	}
	offset := 0
	for part := range slices.Chunk(content, bufferSize-64) {
		cmd := iso7816.Command{Instruction: iso7816.UpdateBinary, P1: byte(offset >> 8), P2: byte(offset), Data: part}
		if _, err := send(cmd); err != nil {
			return err
		}
		offset += len(part)
	}
	return nil
}

// Object identifiers of the security object.
var (
	oidSignedData     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSecurityObject = asn1.ObjectIdentifier{2, 23, 136, 1, 1, 1}
	oidSecurityInfos  = asn1.ObjectIdentifier{0, 4, 0, 127, 0, 7, 3, 2, 1} // of EF.CardSecurity (Doc 9303-11 §9.2.12)
	oidSHA256         = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidECDSAWithSHA   = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
)

type algorithm struct{ Algorithm asn1.ObjectIdentifier }

// securityObject is EF.SOD: the hashes of the data groups, signed (Doc 9303-10
// §4.6.2 and appendix D).
func (k *IssuerKit) securityObject(groups map[int][]byte) []byte {
	type groupHash struct {
		Number int
		Hash   []byte
	}
	var hashes []groupHash
	for n, content := range groups {
		h := sha256.Sum256(content)
		hashes = append(hashes, groupHash{n, h[:]})
	}
	slices.SortFunc(hashes, func(a, b groupHash) int { return a.Number - b.Number })
	content := must(asn1.Marshal(struct {
		Version int
		Hash    algorithm
		Groups  []groupHash
		LDS     struct {
			Version string `asn1:"printable"`
			Unicode string `asn1:"printable"`
		}
	}{Version: 1, Hash: algorithm{oidSHA256}, Groups: hashes, LDS: struct {
		Version string `asn1:"printable"`
		Unicode string `asn1:"printable"`
	}{ldsVersion, unicodeVersion}}))
	return iso7816.Encode(0x77, k.sign(oidSecurityObject, content))
}

// sign is a CMS SignedData by the document signer (RFC 5652). Everything in it is
// deterministic.
func (k *IssuerKit) sign(contentType asn1.ObjectIdentifier, content []byte) []byte {
	digest := sha256.Sum256(content)
	attributes := [][]byte{
		attribute(oidContentType, must(asn1.Marshal(contentType))),
		attribute(oidMessageDigest, must(asn1.Marshal(digest[:]))),
	}
	slices.SortFunc(attributes, bytes.Compare) // DER: a SET OF is sorted
	signed := iso7816.Encode(0x31, attributes...)
	sum := sha256.Sum256(signed)
	signature := must(k.signer.Sign(nil, sum[:], cryptoSHA256))

	issuerAndSerial := iso7816.Encode(0x30, k.certificate.RawIssuer, must(asn1.Marshal(k.certificate.SerialNumber)))
	signerInfo := iso7816.Encode(0x30,
		must(asn1.Marshal(1)),
		issuerAndSerial,
		must(asn1.Marshal(algorithm{oidSHA256})),
		iso7816.Encode(0xA0, attributes...),
		must(asn1.Marshal(algorithm{oidECDSAWithSHA})),
		must(asn1.Marshal(signature)))
	signedData := iso7816.Encode(0x30,
		must(asn1.Marshal(3)),
		iso7816.Encode(0x31, must(asn1.Marshal(algorithm{oidSHA256}))),
		iso7816.Encode(0x30,
			must(asn1.Marshal(contentType)),
			iso7816.Encode(0xA0, must(asn1.Marshal(content)))),
		iso7816.Encode(0xA0, k.DocumentSigner),
		iso7816.Encode(0x31, signerInfo))
	return iso7816.Encode(0x30,
		must(asn1.Marshal(oidSignedData)),
		iso7816.Encode(0xA0, signedData))
}

func attribute(oid asn1.ObjectIdentifier, value []byte) []byte {
	return iso7816.Encode(0x30, must(asn1.Marshal(oid)), iso7816.Encode(0x31, value))
}
