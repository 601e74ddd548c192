package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"rollcall.example/rollcall/wholefile"
)

func TestGoldenFiles(t *testing.T) {
	for name, make := range map[string]func() *Result{"small": small, "failing": failing} {
		got := renderAll(t, make())
		for _, f := range []string{ResultFile, JUnitFile, SeriesFile} {
			golden(t, name+"."+f, got.files[f])
		}
		for _, width := range []int{80, 120} {
			var b bytes.Buffer
			if err := Summary(&b, make(), Terminal{Width: width, Report: "rollcall-out/sample/report.html"}); err != nil {
				t.Fatal(err)
			}
			golden(t, fmt.Sprintf("%s.summary%d.txt", name, width), b.Bytes())
		}
	}
	files, err := render(small(), nil) // the map's outlines would only make it long
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "small.report.html", files[2].data)
}

func TestThePublishedSchemaIsTheOneOfTheTypes(t *testing.T) {
	got := Schema()
	if *update {
		if err := os.WriteFile("result.schema.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("result.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("result.schema.json is not what the types say (-update rewrites it)")
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("result.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("result.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryResultKeepsTheSchema(t *testing.T) {
	s := compileSchema(t)
	for name, got := range all(t) {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(got.files[ResultFile]))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheSchemaRefusesWhatIsNoResult(t *testing.T) {
	s := compileSchema(t)
	good := string(renderAll(t, small()).files[ResultFile])
	for what, change := range map[string][2]string{
		"another version":        {`"schema": "rollcall-result/1"`, `"schema": "rollcall-result/9"`},
		"a figure as text":       {`"holders": `, `"holders": "many", "was": `},
		"a negative count":       {`"card_reissues": `, `"card_reissues": -`},
		"an unknown property":    {`"S1":`, `"S13":`},
		"a field left out":       {`"fee_revenue_krw"`, `"fee"`},
		"a fraction of a person": {`"citizens": `, `"citizens": 0.5, "was": `},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Errorf("%s: nothing was changed", what)
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if s.Validate(doc) == nil {
			t.Errorf("the schema accepts %s", what)
		}
	}
}

func TestEveryFigureOfAResultHasOneDefinition(t *testing.T) {
	got := renderAll(t, failing())
	var numbers func(v any, at string)
	numbers = func(v any, at string) {
		switch x := v.(type) {
		case map[string]any:
			for k, y := range x {
				numbers(y, at+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(k))
			}
		case []any:
			for i, y := range x {
				numbers(y, at+"/"+strconv.Itoa(i))
			}
		case json.Number:
			_, d, ok := definitionOf(got.r.Definitions, at)
			if !ok || d.Way == "" || d.Clock == "" || d.Unit == "" || d.Definition == "" {
				t.Errorf("%s: definition %+v is not whole", at, d)
			}
			if _, ok := map[string]bool{"nation": true, "panel": true, "live": true, "input": true}[d.Way]; !ok {
				t.Errorf("%s: no such way: %q", at, d.Way)
			}
			if (d.Clock == "wall") != (strings.HasPrefix(at, "/meta/host/") || strings.HasPrefix(at, "/live/")) && !strings.HasSuffix(at, "/live") {
				t.Errorf("%s: clock %q", at, d.Clock)
			}
		}
	}
	numbers(got.doc.root, "")
}

func TestAResultComesBackAsItWasWritten(t *testing.T) {
	for name, make := range samples {
		first, err := Encode(make())
		if err != nil {
			t.Fatal(err)
		}
		r, err := Decode(first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Errorf("%s: written, read and written again gives other bytes", name)
		}
	}
}

func TestDecodeRefusesOtherVersionsAndOtherFiles(t *testing.T) {
	for _, s := range []string{"", "[]", `{"meta":{"schema":"rollcall-result/9"}}`, `{"meta":{"schema":"rollcall-result/1"},"nation":7}`} {
		if _, err := Decode([]byte(s)); err == nil {
			t.Errorf("Decode accepts %q", s)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b, _ := Encode(small())
	f.Add(b)
	f.Add([]byte(`{"meta":{"schema":"rollcall-result/1"},"panel":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := Decode(b); err == nil {
			if _, err := Encode(r); err != nil {
				t.Errorf("a result that was read cannot be written: %v", err)
			}
		}
	})
}

func FuzzParseMap(f *testing.F) {
	f.Add([]byte(`{"attribution":"x","viewBox":[0,0,1,1],"regions":{"KR-50":{"d":"M0,0z"}}}`))
	f.Add([]byte(`{"viewBox":[0,0,1,1],"regions":{"KR-50":{"d":"\"><script>"}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMap(b)
		if err != nil {
			return
		}
		for _, g := range m.Regions {
			if strings.ContainsAny(g.Path, `<>"&`) {
				t.Errorf("markup in a path: %q", g.Path)
			}
		}
	})
}

func TestNumbersAreWrittenAlike(t *testing.T) {
	for v, want := range map[Num]string{
		0: "0", Num(math.Copysign(0, -1)): "0", 1: "1", 0.1: "0.1", 1.0 / 3: "0.333333", 1e-9: "0", -2.5: "-2.5", 1e15: "1000000000000000",
		Num(math.Inf(1)): "null", None(): "null", 123456789.123456: "123456789.123456",
	} {
		b, err := json.Marshal(v)
		if err != nil || string(b) != want {
			t.Errorf("%v is written %s, want %s", float64(v), b, want)
		}
	}
}

func TestNumbersAreSaidAsPeopleSayThem(t *testing.T) {
	for _, c := range []struct {
		form string
		v    Num
		want string
	}{
		{"count", 0, "0"}, {"count", 999, "999"}, {"count", 612480, "612,480"}, {"count", 1234567890, "1,234,567,890"}, {"count", -1234, "−1,234"}, {"count", None(), "–"},
		{"duration", 0, "0 s"}, {"duration", 0.4, "0.4 s"}, {"duration", 34, "34 s"}, {"duration", 59.9, "1 min"}, {"duration", 90, "1 min 30 s"}, {"duration", 840, "14 min"},
		{"duration", 3599, "1 h"}, {"duration", 6720, "1 h 52 min"}, {"duration", 43080, "11 h 58 min"}, {"duration", 86400, "24 h"}, {"duration", 183600, "2 d 3 h"},
		{"share", 0, "0 %"}, {"share", 1, "100 %"}, {"share", 0.41, "41 %"}, {"share", 0.003, "0.3 %"}, {"share", 0.0004, "0.04 %"}, {"share", 0.9997, "99.97 %"}, {"share", 0.052, "5.2 %"},
		{"won", 10000, "10,000 won"}, {"ms", 14.2, "14 ms"}, {"ms", 1.25, "1.2 ms"}, {"times", 3.42, "×\u202f3.42"}, {"perthousand", 13.68, "13.7"}, {"bytes", 2040109465, "1.9 GiB"}, {"plain", 0.25, "0.25"},
	} {
		if got := strings.ReplaceAll(say(c.form, c.v), "\u00a0", " "); got != c.want {
			t.Errorf("%v as %s: %q, want %q", float64(c.v), c.form, got, c.want)
		}
	}
}

func TestPointersFollowRFC6901(t *testing.T) {
	d, err := ParseDocument([]byte(`{"a/b":{"~":[10,null,{"":3}]},"s":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]string{"/a~1b/~0/0": "10", "/a~1b/~0/2/": "3"} {
		if n, err := d.Number(p); err != nil || say("plain", n) != want {
			t.Errorf("%s: %v, %v", p, n, err)
		}
	}
	if n, err := d.Number("/a~1b/~0/1"); err != nil || n.Known() {
		t.Errorf("null: %v, %v", n, err)
	}
	for _, p := range []string{"a", "/b", "/a~1b/~0/3", "/a~1b/~0/-1", "/a~1b/~0/x", "/s/0", "/s", ""} {
		if _, err := d.Number(p); err == nil {
			t.Errorf("%q points at a number", p)
		}
	}
}

func TestJUnitAndSeriesShowTheFiguresTheyPointAt(t *testing.T) {
	for name, got := range all(t) {
		var j suites
		if err := xml.Unmarshal(got.files[JUnitFile], &j); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		cases := 0
		for _, s := range j.Suites {
			for _, c := range s.Cases {
				cases++
				if c.Properties == nil {
					continue
				}
				for _, p := range c.Properties.List {
					n, err := got.doc.Number(p.Name)
					if err != nil {
						t.Errorf("%s: %v", name, err)
					} else if want := say("plain", n); p.Value != want && !(p.Value == "" && !n.Known()) {
						t.Errorf("%s: %s is %s, junit.xml shows %q", name, p.Name, want, p.Value)
					}
				}
			}
		}
		if j.Tests != cases || cases < len(PropertyNames)+1+len(got.r.Expectations) {
			t.Errorf("%s: junit.xml counts %d tests and has %d", name, j.Tests, cases)
		}

		rows, err := csv.NewReader(bytes.NewReader(got.files[SeriesFile])).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(rows)-1 != len(got.r.Nation.Series) {
			t.Errorf("%s: %d rows of %d", name, len(rows)-1, len(got.r.Nation.Series))
		}
		for _, row := range rows[1:] {
			pointer := row[len(row)-1]
			for i, column := range rows[0][:len(row)-1] {
				v, err := got.doc.At(pointer + "/" + column)
				if err != nil {
					t.Fatal(err)
				}
				want := fmt.Sprint(v)
				if v == nil {
					want = ""
				}
				if row[i] != want {
					t.Errorf("%s: %s/%s is %s, series.csv shows %q", name, pointer, column, want, row[i])
				}
			}
		}
	}
}

func TestJUnitFailsWhatFailedAndWhatWasNeverTested(t *testing.T) {
	count := func(r *Result) (failed []string, skipped int) {
		var j suites
		if err := xml.Unmarshal(renderAll(t, r).files[JUnitFile], &j); err != nil {
			t.Fatal(err)
		}
		for _, s := range j.Suites {
			for _, c := range s.Cases {
				if c.Failure != nil {
					failed = append(failed, strings.Fields(c.Name)[0])
				}
				if c.Skipped != nil {
					skipped++
				}
			}
		}
		if len(failed) != j.Failures || skipped != j.Skipped {
			t.Errorf("the totals say %d and %d, the cases %d and %d", j.Failures, j.Skipped, len(failed), skipped)
		}
		return
	}
	if failed, skipped := count(small()); failed != nil || skipped != 0 {
		t.Errorf("a good run: %v failed, %d skipped", failed, skipped)
	}
	failed, _ := count(failing())
	if want := []string{"suspension.violations", "recovery[0].drain_s", "S3", "E4", "every", "citizen"}; !reflect.DeepEqual(failed, want) {
		t.Errorf("failed %v, want %v", failed, want)
	}
	if failed, skipped := count(panelOff()); failed != nil || skipped != len(PropertyNames)+1 {
		t.Errorf("panel off: %v failed, %d skipped", failed, skipped)
	}
}

func TestWriteLeavesTheFourFilesAndNothingElse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	for range 2 { // the second time over the first
		if err := Write(dir, small(), realMap(t)); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{JUnitFile, ReportFile, ResultFile, SeriesFile}; !reflect.DeepEqual(names, want) {
		t.Errorf("the folder holds %v, want %v", names, want)
	}
}

// fullDisk has room for some bytes.
type fullDisk struct {
	wholefile.Disk
	left *int
}

func (d fullDisk) Create(folder, pattern string) (wholefile.Unnamed, error) {
	f, err := d.Disk.Create(folder, pattern)
	return failingFile{f, d.left}, err
}

type failingFile struct {
	wholefile.Unnamed
	left *int
}

func (f failingFile) Write(b []byte) (int, error) {
	if *f.left -= len(b); *f.left < 0 {
		n, _ := f.Unnamed.Write(b[:len(b)/2])
		return n, &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	return f.Unnamed.Write(b)
}

func TestAFullDiskIsSaidAndLeavesTheOldResultWhole(t *testing.T) {
	files, err := render(small(), nil)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, f := range files {
		total += len(f.data)
	}
	for _, room := range []int{0, 5000, 200_000, total - 1} {
		dir := t.TempDir()
		old := filepath.Join(dir, ResultFile)
		if err := os.WriteFile(old, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
		left := room
		d := folder{dir, fullDisk{wholefile.OS, &left}}
		err := d.write(files)
		if err == nil || !strings.Contains(err.Error(), "disk is full") || !strings.Contains(err.Error(), "--out") || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("room for %d bytes: %v", room, err)
		}
		entries, _ := os.ReadDir(dir)
		if b, _ := os.ReadFile(old); len(entries) != 1 || string(b) != "old" {
			t.Errorf("room for %d bytes: %d files are left, the old result is %q", room, len(entries), b)
		}
	}
}

func TestAFileInTheWayIsSaid(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "blocked")
	if err := os.WriteFile(blocked, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	err := Write(filepath.Join(blocked, "out"), small(), nil)
	if err == nil || !strings.Contains(err.Error(), "in the way") {
		t.Errorf("%v", err)
	}
}

func TestTheSameResultGivesTheSameFiles(t *testing.T) {
	a, b := renderAll(t, large(true)), renderAll(t, large(true))
	for name := range a.files {
		if !bytes.Equal(a.files[name], b.files[name]) {
			t.Errorf("%s differs from itself", name)
		}
	}
}

func TestTheSummaryKeepsToItsWidthAndItsColours(t *testing.T) {
	for name, make := range map[string]func() *Result{"small": small, "failing": failing, "panel off": panelOff} {
		var plain, colour bytes.Buffer
		if err := Summary(&plain, make(), Terminal{Width: 100, Report: "out/report.html"}); err != nil {
			t.Fatal(err)
		}
		if err := Summary(&colour, make(), Terminal{Width: 100, Colour: true, Report: "out/report.html"}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(plain.String(), "\x1b") {
			t.Errorf("%s: colours without a terminal", name)
		}
		bare := colour.String()
		for _, code := range []string{bold, faint, green, red, "0"} {
			bare = strings.ReplaceAll(bare, "\x1b["+code+"m", "")
		}
		if bare != plain.String() {
			t.Errorf("%s: colours change the words:\n%s\n%s", name, bare, plain.String())
		}
		if !strings.HasSuffix(plain.String(), "report: out/report.html\n") {
			t.Errorf("%s: the report's path is not the last thing said", name)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	r := large(true)
	for b.Loop() {
		if _, err := render(r, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTheSummaryTellsWhatALostSiteCost(t *testing.T) {
	var b strings.Builder
	if err := Summary(&b, siteLost(), Terminal{}); err != nil {
		t.Fatal(err)
	}
	want := "3,240 acknowledged in the 8 h before and lost   2,010 cards unusable, half for 41 h 50 min or less   412 holders refused   103 times a suspended card accepted, 7 from somebody else"
	if !strings.Contains(b.String(), want) {
		t.Errorf("it says\n%s\nand not %s", b.String(), want)
	}
}
