// Command zlint lints certificates and lists of revoked ones by the lints of zlint
// that hold for any public key infrastructure (RFC 5280 and those that it grew to);
// those of browsers' authorities (CA/Browser Forum, Mozilla, Apple) do not concern an authority
// of cards. It is a module of its own: nothing of zlint is linked to Rollcall.
//
//	go run . FILE...
//
// FILEs hold one certificate or list each, in PEM. It prints what is wrong, and how many
// were looked at; exit code 1 if anything was.
package main

import (
	"encoding/pem"
	"fmt"
	"os"
	"sort"

	"github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

// excused are findings that are meant, with the reason.
var excused = map[string]string{
	// RFC 5280 §4.2.1.13 wants HTTP or LDAP, and its §8 warns of https, lest a list be
	// needed to fetch itself. The service speaks HTTPS alone, by a certificate of
	// another root, which names no list.
	"w_distribution_point_missing_ldap_or_uri": "the list of revoked certificates is fetched by HTTPS",
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: zlint FILE...")
		os.Exit(2)
	}
	registry, err := lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeSources: lint.SourceList{
		lint.RFC3279, lint.RFC5280, lint.RFC5480, lint.RFC5891, lint.RFC6960, lint.RFC8813, lint.Community,
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	files, ran, wrong := 0, 0, 0
	for _, name := range os.Args[1:] {
		result, subject, err := look(name, registry)
		if err != nil {
			fmt.Printf("%s: %v\n", name, err)
			wrong++
			continue
		}
		files++
		var found []string
		for lintName, r := range result.Results {
			if r.Status != lint.NA && r.Status != lint.NE {
				ran++
			}
			if r.Status >= lint.Warn && excused[lintName] == "" {
				found = append(found, fmt.Sprintf("%s: %s: %s %s %s", name, subject, r.Status, lintName, r.Details))
			}
		}
		sort.Strings(found)
		for _, f := range found {
			fmt.Println(f)
		}
		wrong += len(found)
	}
	fmt.Printf("zlint: %d certificates and lists, %d lints that apply, %d findings\n", files, ran, wrong)
	if wrong > 0 || ran == 0 {
		os.Exit(1)
	}
}

func look(name string, registry lint.Registry) (*zlint.ResultSet, string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, "", err
	}
	block, rest := pem.Decode(text)
	if block == nil || len(rest) > 0 {
		return nil, "", fmt.Errorf("it is not one certificate or list in PEM")
	}
	if block.Type == "X509 CRL" {
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, "", err
		}
		return zlint.LintRevocationListEx(list, registry), "revoked by " + list.Issuer.String(), nil
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, "", err
	}
	return zlint.LintCertificateEx(c, registry), c.Subject.String(), nil
}
