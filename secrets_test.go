package rollcall_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// secretName is a name, or the end of one, under which something lies that a caller
// must not be able to find out by how long a comparison takes.
var secretName = regexp.MustCompile(`(?i)(secret|passphrase|password|pin|csrf|verifier|nonce|challenge|tx_?code|token|signature|mac|tag|thumbprint|mark|digest|sum|hash|hashof\(\)|digestof\(\))$`)

// openly says of what is compared in the ordinary way why that tells nobody anything.
var openly = map[string]string{
	"reference/audit/audit.go k.Hash":                          "auditors are shown the heads of the log",
	"reference/audit/audit.go h.Hash":                          "auditors are shown the heads of the log",
	"reference/audit/audit.go hash":                            "auditors are shown the log",
	"reference/card/card.go raw.Tag":                           "the number of a data object in ASN.1",
	"reference/card/sod.go digest":                             "of a file that its sender sends, too",
	"reference/card/sod.go sum":                                "of a file that its sender sends, too",
	"reference/mdoc/document.go want.digest":                   "of an element that its sender sends, too",
	"reference/keys/pkcs11/open.go s.uri.Token":                "the name of a hardware module",
	"reference/publication/publication.go tag":                 "the ETag of a list that everybody may fetch",
	"reference/service/servicetest/servicetest.go challenge":   "a card of tests, which has no key",
	"reference/service/servicetest/servicetest.go e.Signature": "a card of tests, which has no key",
	"reference/store/sqlite/log.go sum":                        "finds torn writes, and keeps nobody out",
}

// TestSecretsAreComparedInConstantTime looks for comparisons of two values of which one
// is named as secrets are. With a constant, nil or a length they tell nothing.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	compared, excused := 0, map[string]bool{}
	err := filepath.WalkDir("reference", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		safe, open := comparisons(file)
		compared += safe
		for _, c := range open {
			at := filepath.ToSlash(path) + " " + c.name
			if excused[at] = true; openly[at] == "" {
				t.Errorf("%s: %s is compared by %s: use crypto/subtle, or say in openly why not", set.Position(c.at), c.name, c.by)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if compared < 10 {
		t.Errorf("only %d comparisons take constant time: are the others still secret?", compared)
	}
	for at := range openly {
		if !excused[at] {
			t.Errorf("openly: %s is not compared any more", at)
		}
	}
}

func TestPlantedComparisonsOfSecretsAreFound(t *testing.T) {
	for _, c := range []struct {
		code string
		want string // what is found, by which comparison
	}{
		{`token == form.Get("token")`, "token by =="},
		{`got.AccessToken != want`, "got.AccessToken by !="},
		{`hashOf(code) == kept`, "hashOf() by =="},
		{`string(mac) == string(want)`, "string(mac) by =="},
		{`sums[i].Digest == x`, "sums.Digest by =="},
		{`bytes.Equal(mac, sum[:])`, "mac by bytes.Equal, sum by bytes.Equal"},
		{`slices.Equal(have, s.secret)`, "s.secret by slices.Equal"},
		{`strings.EqualFold(csrf, have)`, "csrf by strings.EqualFold"},
		{`bytes.Compare(*passphrase, have) == 0`, "passphrase by bytes.Compare"},
		{`reflect.DeepEqual(c.Thumbprint, have)`, "c.Thumbprint by reflect.DeepEqual"},
		{`token == ""`, ""},
		{`"" != c.AccessTokenHash`, ""},
		{`secret == nil`, ""},
		{`len(nonce) == size`, ""},
		{`role == access.Verifier`, ""}, // a constant
		{`use == Verifier`, ""},
		{`subtle.ConstantTimeCompare(mac, sum) == 1`, ""},
		{`hmac.Equal(mac, sum)`, ""},
	} {
		text := "package p\n\nimport (\n\t\"bytes\"\n\t\"crypto/subtle\"\n\t\"crypto/hmac\"\n\t\"slices\"\n\t\"strings\"\n\t\"reflect\"\n\t\"x/access\"\n)\n\nvar _ = " + c.code
		file, err := parser.ParseFile(token.NewFileSet(), "p.go", text, 0)
		if err != nil {
			t.Fatal(err)
		}
		safe, open := comparisons(file)
		var found []string
		for _, o := range open {
			found = append(found, o.name+" by "+o.by)
		}
		if got := strings.Join(found, ", "); got != c.want {
			t.Errorf("%s: found %q, want %q", c.code, got, c.want)
		}
		if constant := strings.Contains(c.code, "subtle.") || strings.Contains(c.code, "hmac."); constant != (safe == 1) {
			t.Errorf("%s: %d comparisons in constant time", c.code, safe)
		}
	}
}

// comparison is one of a value whose name says that it is secret.
type comparison struct {
	name, by string
	at       token.Pos
}

// comparers are functions that end at the first difference.
var comparers = []string{"bytes.Equal", "bytes.Compare", "slices.Equal", "slices.Compare", "strings.EqualFold", "strings.Compare", "reflect.DeepEqual"}

// comparisons are those of a file: how many take constant time, and those of secrets
// that do not.
func comparisons(file *ast.File) (safe int, open []comparison) {
	imported := map[string]bool{}
	for _, i := range file.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		imported[path[strings.LastIndexByte(path, '/')+1:]] = true
	}
	look := func(by string, at token.Pos, sides []ast.Expr) {
		if slices.ContainsFunc(sides, func(e ast.Expr) bool { return constant(e, imported) }) {
			return
		}
		for _, side := range sides {
			if name := written(side); secretName.MatchString(strings.TrimSuffix(name, ")")) || secretName.MatchString(name) {
				open = append(open, comparison{name, by, at})
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if n.Op == token.EQL || n.Op == token.NEQ {
				look(n.Op.String(), n.OpPos, []ast.Expr{n.X, n.Y})
			}
		case *ast.CallExpr:
			switch by := written(n.Fun); {
			case strings.HasPrefix(by, "subtle.ConstantTime") || by == "hmac.Equal":
				safe++
			case slices.Contains(comparers, by):
				look(by, n.Pos(), n.Args)
			}
		}
		return true
	})
	return safe, open
}

// constant says whether an expression is a literal, nil, true, false, or a name that a
// package shows to others: of these none is a secret.
func constant(e ast.Expr, imported map[string]bool) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return e.Name == "nil" || e.Name == "true" || e.Name == "false" || e.IsExported()
	case *ast.SelectorExpr:
		of, ok := e.X.(*ast.Ident)
		return ok && imported[of.Name]
	}
	return false
}

// written is an expression as text, without what stands in brackets: a.b, f(). A
// conversion keeps what it converts.
func written(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return written(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		if to := written(e.Fun); (to == "string" || to == "[]byte") && len(e.Args) == 1 {
			return to + "(" + written(e.Args[0]) + ")"
		}
		return written(e.Fun) + "()"
	case *ast.ArrayType:
		return "[]" + written(e.Elt)
	case *ast.IndexExpr:
		return written(e.X)
	case *ast.SliceExpr:
		return written(e.X)
	case *ast.StarExpr:
		return written(e.X)
	case *ast.ParenExpr:
		return written(e.X)
	}
	return ""
}
