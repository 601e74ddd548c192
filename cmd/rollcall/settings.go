package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/pflag"
)

// setting is one thing that can be said about the service: by a flag, by an
// environment variable (ROLLCALL_PUBLIC_URL for public-url), or in a file
// (public_url). The first of these that says something counts.
type setting struct {
	name    string
	value   string // by default
	kind    settingKind
	what    string // for --help; the word between backquotes is the value's
	noFlag  bool   // a secret does not belong on a command line, which others can see
	masked  bool   // print-config does not show it
	zero    bool   // a duration may be none
	only    []string
	without string // what an empty value means, for print-config
}

type settingKind int

const (
	text settingKind = iota
	yesNo
	duration
	number // positive
	list   // in a file a list, elsewhere separated by commas
)

// settings are all that serve knows, in the order in which they are printed.
var settings = []setting{
	{name: "data", value: "rollcall-data", what: "`DIR` of the service: keys, and the register unless it is elsewhere"},
	{name: "database", what: "the register: a `FILE`, or postgres://USER:PASSWORD@HOST/NAME (default register.db in the data folder)", masked: true, without: "register.db in the data folder"},
	{name: "listen", value: "127.0.0.1:8443", what: "`ADDR`ess and port to serve at; port 0 takes a free one"},
	{name: "public-url", what: "`URL` under which others reach the service (default: where it listens)", without: "where it listens"},
	{name: "tls", value: "true", kind: yesNo, what: "speak TLS; false behind a proxy that does"},
	{name: "tls-certificate", what: "`FILE` of a certificate chain in PEM (default: one of the service's own authority)", without: "of the service's own authority"},
	{name: "tls-key", what: "`FILE` of its key in PEM", without: "of the service's own authority"},
	{name: "proxies", kind: list, what: "`NETWORKS` of proxies that may say for whom they speak (X-Forwarded-For), as in 10.0.0.0/8"},
	{name: "ops-listen", what: "`ADDR`ess for /metrics, /healthz and /readyz without authentication; not for the public", without: "nowhere"},
	{name: "pprof", value: "false", kind: yesNo, what: "serve /debug/pprof/ there, too (then ops-listen is 127.0.0.1:6060 by default)"},
	{name: "cpuprofile", what: "write a CPU profile to `FILE` when the service ends (go tool pprof)"},

	{name: "passphrase", what: "locks the keys; without one a key file in the data folder does", noFlag: true, masked: true, without: "a key file"},
	{name: "passphrase-file", what: "`FILE` with the passphrase in its first line"},
	{name: "new-administrator", what: "enter another administrator with this `ID`, and print its passphrase"},

	{name: "scenario", value: "announced", what: "`SCENARIO` whose rules hold: which region opens when, ages, thresholds"},
	{name: "all-open", value: "false", kind: yesNo, what: "every region is open, and any centre serves anybody"},
	{name: "authority", value: "행정안전부", what: "`NAME` of the issuing authority, as it stands on the cards"},
	{name: "card-authorities", kind: list, what: "`FILES` with the certificates (PEM) of those who sign IC cards"},
	{name: "card-revocations", kind: list, what: "`FILES` or URLs (http, https) with the lists of signers (DER or PEM) that those have revoked"},
	{name: "card-revocations-late", value: "refuse", only: []string{"refuse", "accept"}, what: "`WHAT` becomes of an IC card when there is no such list in its time: refuse it, or accept it by the last one"},
	{name: "phone-makers", kind: list, what: "`FILES` with the root certificates (PEM) of those who attest phones' keys"},
	{name: "wallet-providers", kind: list, what: "`FILES` with the root certificates (PEM) of those who attest wallets"},
	{name: "copies", value: "10", kind: number, what: "`N` copies of a mobile card, at most"},

	{name: "status-every", value: "30s", kind: duration, what: "publish the status lists so often"},
	{name: "status-ttl", value: "15m", kind: duration, what: "how long a verifier may keep a status list"},
	{name: "status-renew", value: "0s", kind: duration, zero: true, what: "sign a status list that has not changed anew when it is so old; 0s: half of status-ttl"},
	{name: "status-validity", value: "24h", kind: duration, what: "of a signed status list"},
	{name: "status-size", value: "1048576", kind: number, what: "`N` places of a status list"},

	{name: "rate-address", value: "3000", kind: number, what: "`N` requests a second of one address; four times as many at once"},
	{name: "rate-citizen", value: "20", kind: number, what: "`N` requests a second of a citizen"},
	{name: "rate-staff", value: "50", kind: number, what: "`N` requests a second of a member of staff"},
	{name: "rate-verifier", value: "2000", kind: number, what: "`N` requests a second of a verifier"},
	{name: "connections", value: "10000", kind: number, what: "`N` connections at the same time; for more, the one idle for longest is closed, or they wait"},
	{name: "connections-address", value: "2000", kind: number, what: "`N` connections of one address at the same time, proxies excepted; more are closed"},
	{name: "concurrent", value: "2048", kind: number, what: "`N` requests at the same time; more are turned away"},
	{name: "concurrent-address", value: "1024", kind: number, what: "`N` requests of one address at the same time; more are turned away"},
	{name: "shutdown-delay", value: "0s", kind: duration, zero: true, what: "how long it still takes requests, and says that it is not ready, when the service is stopped: until balancers have noticed"},
	{name: "shutdown-grace", value: "20s", kind: duration, what: "how long requests may still take when the service is stopped"},
	{name: "log-level", value: "info", what: "`LEVEL` from which on is logged", only: []string{"debug", "info", "warn", "error"}},

	{name: "demo", value: "false", kind: yesNo, what: "seed residents, cards, staff and a bank that are made up; never beside real ones"},
	{name: "demo-residents", value: "12", kind: number, what: "`N` residents of the demonstration"},
}

func (s setting) variable() string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}
func (s setting) key() string { return strings.ReplaceAll(s.name, "-", "_") }

// settled is a setting with its value, and where that was said.
type settled struct {
	setting
	at string // "--listen", "ROLLCALL_LISTEN", "rollcall.yaml:3:1"; empty: by default
}

// configuration is all settings by name.
type configuration map[string]settled

// addFlags gives a command the flags of the settings with these names; none: all.
func addFlags(f *pflag.FlagSet, names ...string) {
	f.String("config", "", "`FILE` with settings in YAML")
	for _, s := range settings {
		if s.noFlag || len(names) > 0 && !slices.Contains(names, s.name) {
			continue
		}
		switch s.kind {
		case yesNo:
			f.Bool(s.name, s.value == "true", s.what)
		case duration:
			d, _ := time.ParseDuration(s.value)
			f.Duration(s.name, d, s.what)
		default:
			f.String(s.name, s.value, s.what)
		}
	}
}

// configure settles all settings: flags before environment (as os.Environ has it) before
// file.
func configure(f *pflag.FlagSet, environ []string) (configuration, error) {
	c := configuration{}
	said := variables(environ)
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if meant := misspelt(name); meant != "" {
			return nil, fmt.Errorf("%s is set and is no setting (did you mean %s?)", name, meant)
		}
	}
	for _, s := range settings {
		c[s.name] = settled{setting: s}
	}
	file := said[configVariable]
	if flag := f.Lookup("config"); flag.Changed {
		file = flag.Value.String()
	}
	if file != "" {
		src, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("the configuration cannot be read: %w", err)
		}
		if err := c.read(file, src); err != nil {
			return nil, err
		}
	}
	for _, s := range settings {
		if v := said[s.variable()]; v != "" {
			if err := c.set(s.name, v, s.variable()); err != nil {
				return nil, err
			}
		}
		if flag := f.Lookup(s.name); flag != nil && flag.Changed {
			if err := c.set(s.name, flag.Value.String(), "--"+s.name); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

const variablePrefix, configVariable = "ROLLCALL_", "ROLLCALL_CONFIG"

// otherVariables are those that are no settings and are read all the same.
var otherVariables = []string{configVariable, "ROLLCALL_PKCS11_PIN"}

// variables are those of an environment that may be meant for us and say something.
// Kubernetes gives every container some about a service named rollcall: they are not.
func variables(environ []string) map[string]string {
	out := map[string]string{}
	for _, one := range environ {
		name, value, _ := strings.Cut(one, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name) // where case does not count
		}
		if strings.HasPrefix(name, variablePrefix) && value != "" && !ofKubernetes.MatchString(name) {
			out[name] = value
		}
	}
	return out
}

var ofKubernetes = regexp.MustCompile(`^ROLLCALL_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)$`)

// readVariable says whether a variable is read by any command.
func readVariable(name string) bool {
	return slices.Contains(otherVariables, name) || slices.ContainsFunc(settings, func(s setting) bool { return s.variable() == name })
}

// misspelt is the variable that must have been meant by one that nobody reads; empty: it
// is read, or no name is so near. A third of a name's letters may be wrong, three at most.
func misspelt(name string) (meant string) {
	if readVariable(name) {
		return ""
	}
	known := slices.Clone(otherVariables)
	for _, s := range settings {
		known = append(known, s.variable())
	}
	nearest := 4
	for _, k := range known {
		d := editDistance(strings.ToUpper(name), k)
		if d < nearest && d <= (len(k)-len(variablePrefix))/3 {
			meant, nearest = k, d
		}
	}
	return meant
}

// unread are the variables that nobody reads and that are not near any that is.
func unread(environ []string) (names []string) {
	for name := range variables(environ) {
		if !readVariable(name) && misspelt(name) == "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// set gives a setting its value, or says what it should be.
func (c configuration) set(name, value, at string) error {
	s := c[name]
	wrong := func(instead string) error { return fmt.Errorf("%s: %q %s", at, value, instead) }
	switch s.kind {
	case yesNo:
		if value != "true" && value != "false" {
			return wrong("is neither true nor false")
		}
	case duration:
		if d, err := time.ParseDuration(value); err != nil || d < 0 || d == 0 && !s.zero {
			return wrong("is not a duration such as 90s or 10m")
		}
	case number:
		if n, err := strconv.ParseUint(value, 10, 31); err != nil || n == 0 {
			return wrong("is not a whole number above 0")
		}
	}
	if name == "database" && !isPostgres(value) && elsewhere.MatchString(value) { // not shown: there may be a password in it
		return fmt.Errorf("%s: this is no file, and the address of a PostgreSQL database is written as postgres://USER:PASSWORD@HOST/NAME", at)
	}
	if s.only != nil && !slices.Contains(s.only, value) {
		return wrong("is none of " + strings.Join(s.only, ", "))
	}
	s.value, s.at = value, at
	c[name] = s
	return nil
}

// elsewhere is what was meant as the address of a database: as a URL, or as libpq's words.
var elsewhere = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://|(^|\s)(host|hostaddr|port|dbname|user|password|service|sslmode)\s*=`)

func isPostgres(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

const maxConfiguration = 64 << 10

// read reads a file of settings: a mapping, each key once. What is wrong is said
// with its line and column.
func (c configuration) read(file string, src []byte) error {
	if len(src) > maxConfiguration || !utf8.Valid(src) {
		return fmt.Errorf("%s:1:1: it is larger than %d bytes, or is not UTF-8", file, maxConfiguration)
	}
	parsed, err := parser.ParseBytes(src, 0)
	if err != nil {
		if e, ok := errors.AsType[yaml.Error](err); ok && e.GetToken() != nil {
			p := e.GetToken().Position
			return fmt.Errorf("%s:%d:%d: %s", file, p.Line, p.Column, e.GetMessage())
		}
		return fmt.Errorf("%s:1:1: it is not YAML: %v", file, err)
	}
	seen := map[string]bool{}
	for _, doc := range parsed.Docs {
		var entries []*ast.MappingValueNode
		switch body := doc.Body.(type) {
		case nil, *ast.CommentGroupNode, *ast.NullNode:
			continue
		case *ast.MappingNode:
			entries = body.Values
		case *ast.MappingValueNode:
			entries = []*ast.MappingValueNode{body}
		default:
			p := body.GetToken().Position
			return fmt.Errorf("%s:%d:%d: settings are written as a mapping (listen: 127.0.0.1:8443)", file, p.Line, p.Column)
		}
		for _, e := range entries {
			key := e.Key.GetToken()
			at := fmt.Sprintf("%s:%d:%d", file, key.Position.Line, key.Position.Column)
			name := strings.ReplaceAll(key.Value, "_", "-")
			if _, known := c[name]; !known || strings.Contains(key.Value, "-") {
				return fmt.Errorf("%s: %q is no setting (%s)", at, key.Value, nearest(name))
			}
			if seen[name] {
				return fmt.Errorf("%s: %s is set twice", at, key.Value)
			}
			seen[name] = true
			value, err := valueOf(c[name], e.Value)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", at, key.Value, err)
			}
			if err := c.set(name, value, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// valueOf is what a file says, as a flag would say it.
func valueOf(s settled, n ast.Node) (string, error) {
	scalar := func(n ast.Node) (string, error) {
		switch v := n.(type) {
		case *ast.StringNode:
			return v.Value, nil
		case *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode:
			return n.GetToken().Value, nil
		}
		return "", fmt.Errorf("a single value is expected here")
	}
	if many, ok := n.(*ast.SequenceNode); ok {
		if s.kind != list {
			return "", fmt.Errorf("a single value is expected here, not a list")
		}
		var all []string
		for _, item := range many.Values {
			v, err := scalar(item)
			if err != nil {
				return "", err
			}
			if strings.Contains(v, ",") {
				return "", fmt.Errorf("%q has a comma", v)
			}
			all = append(all, v)
		}
		return strings.Join(all, ","), nil
	}
	return scalar(n)
}

// nearest says which setting may have been meant.
func nearest(name string) string {
	best, distance := "", 4
	for _, s := range settings {
		if d := editDistance(name, s.name); d < distance {
			best, distance = s.key(), d
		}
	}
	if best == "" {
		return "rollcall serve --print-config prints all of them"
	}
	return "did you mean " + best + "?"
}

func editDistance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := diagonal
			if a[i] != b[j] {
				next = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

// print writes the settings as a file of settings would have them, with where each
// was said. Secrets are masked.
func (c configuration) print(w io.Writer) error {
	for _, s := range settings {
		v := c[s.name]
		line := s.key() + ": " + v.shown()
		if strings.Contains(line, mask) {
			line = "# " + line // what is masked cannot be read back
		}
		from := v.at
		if from == "" {
			from = "default"
			if v.value == "" && s.without != "" {
				from += ": " + s.without
			}
		}
		if _, err := fmt.Fprintf(w, "%-40s # %s\n", line, from); err != nil {
			return err
		}
	}
	return nil
}

const mask = "********"

func (v settled) shown() string {
	switch {
	case v.kind == list:
		var all []string
		for _, one := range split(v.value) {
			all = append(all, strconv.Quote(place(one)))
		}
		return "[" + strings.Join(all, ", ") + "]"
	case v.kind != text:
		return v.value
	case v.masked && v.value != "":
		if v.name == "database" && !isPostgres(v.value) {
			return strconv.Quote(v.value) // a file
		}
		if v.name != "database" {
			return strconv.Quote(mask)
		}
		return strconv.Quote(maskedDatabase(v.value))
	}
	return strconv.Quote(v.value)
}

// maskedDatabase is a database server's address without its password.
func maskedDatabase(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return mask
	}
	return masked(u, func(name string) bool { return strings.Contains(strings.ToLower(name), "password") })
}

// place is a file, or a URL without what is secret in it, or may be.
func place(name string) string {
	if !strings.Contains(name, "://") {
		return name
	}
	u, err := url.Parse(name)
	if err != nil {
		return mask
	}
	return masked(u, func(string) bool { return true })
}

// masked is an address without its password, and without those parts of its query that are
// secret.
func masked(u *url.URL, secret func(name string) bool) string {
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), mask)
	}
	q := u.Query()
	for name := range q {
		if secret(name) {
			q.Set(name, mask)
		}
	}
	u.RawQuery = q.Encode()
	return strings.ReplaceAll(u.String(), "%2A", "*")
}

func split(value string) (out []string) {
	for one := range strings.SplitSeq(value, ",") {
		if one = strings.TrimSpace(one); one != "" {
			out = append(out, one)
		}
	}
	return out
}

func (c configuration) text(name string) string   { return c[name].value }
func (c configuration) list(name string) []string { return split(c[name].value) }
func (c configuration) yes(name string) bool      { return c[name].value == "true" }

func (c configuration) duration(name string) time.Duration {
	d, _ := time.ParseDuration(c[name].value) // set has read it
	return d
}

func (c configuration) number(name string) int {
	n, _ := strconv.Atoi(c[name].value) // set has read it
	return n
}
