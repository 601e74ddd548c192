package scenarios

import (
	"bytes"
	"embed"
	"encoding/csv"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed data/*.csv data/*.json
var dataFiles embed.FS

// FirstAge is the youngest age of the model; the oldest, 100, stands for 100
// and over.
const (
	FirstAge = 17
	LastAge  = 100
	Ages     = LastAge - FirstAge + 1
)

// Nation is the country as the statistics have it: residents of 17 and over by
// centre and age, June 2024. It is shared; do not change it.
type Nation struct {
	Regions        []Region       // by ISO code
	Municipalities []Municipality // by code
	Centres        []Centre       // by code, so that each municipality's are together

	male [][18]float64 // by municipality and five-year band from 15
}

// Region is one of the 17 regions of the first level (시도).
type Region struct {
	ISO            string // "KR-11"
	NameKo, NameEn string
	Residents      int        // all ages, June 2024
	Adults         int        // 17 and over, June 2024
	Label          [2]float64 // where its name stands on the map
}

// Municipality is one of the 229 basic municipalities (시군구), the gu of a city
// joined.
type Municipality struct {
	Code           string // five digits, "41280"
	NameKo, NameEn string
	Region         int // index in Regions
	First, End     int // its centres: Centres[First:End]
}

// Centre is a community centre: of a neighbourhood (dong), a town (eup) or a
// township (myeon).
type Centre struct {
	Code         string // ten digits
	NameKo       string
	Kind         string      // "dong", "eup", "myeon"
	Municipality int         // index in Municipalities
	Age          [Ages]int32 // residents of 17, 18, ... 99, 100 and over
}

// Adults is the number of the centre's residents of 17 and over.
func (c *Centre) Adults() int {
	n := 0
	for _, x := range c.Age {
		n += int(x)
	}
	return n
}

// Everybody is about the number of all its residents: those of 17 and over are
// 87.4 % of them.
func (c *Centre) Everybody() float64 { return float64(c.Adults()) / 0.874 }

// MaleShare is the share of men among the residents of an age in a
// municipality, by five-year band.
func (n *Nation) MaleShare(municipality, age int) float64 {
	return n.male[municipality][min(max(age, 15), LastAge)/5-3]
}

// RegionIndex finds a region by its ISO code.
func (n *Nation) RegionIndex(iso string) (int, bool) {
	return slices.BinarySearchFunc(n.Regions, iso, func(r Region, s string) int { return strings.Compare(r.ISO, s) })
}

// MunicipalityIndex finds a municipality by its code.
func (n *Nation) MunicipalityIndex(code string) (int, bool) {
	return slices.BinarySearchFunc(n.Municipalities, code, func(m Municipality, s string) int { return strings.Compare(m.Code, s) })
}

// CentreIndex finds a centre by its code.
func (n *Nation) CentreIndex(code string) (int, bool) {
	return slices.BinarySearchFunc(n.Centres, code, func(c Centre, s string) int { return strings.Compare(c.Code, s) })
}

// LoadNation reads the built-in population. It is read once.
func LoadNation() (*Nation, error) { return builtInNation() }

var builtInNation = sync.OnceValues(func() (*Nation, error) {
	return ReadNation(dataFiles, "data")
})

// DataFile returns a built-in data file: "map_sido.svgpaths.json",
// "backtest.csv", ...
func DataFile(name string) ([]byte, error) {
	return dataFiles.ReadFile("data/" + name)
}

// ReadNation reads regions.csv, municipalities.csv, centres.csv and sex.csv of
// a folder, and checks that they belong together.
func ReadNation(fsys fs.FS, folder string) (*Nation, error) {
	n := &Nation{}
	for _, read := range []func(fs.FS, string) error{n.readRegions, n.readMunicipalities, n.readCentres, n.readSex} {
		if err := read(fsys, folder); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (n *Nation) readRegions(fsys fs.FS, folder string) error {
	t, err := openTable(fsys, path.Join(folder, "regions.csv"),
		"iso", "name_ko", "name_en", "residents_20240630", "residents_17plus_20240630", "label_x", "label_y")
	if err != nil {
		return err
	}
	for t.next() {
		n.Regions = append(n.Regions, Region{
			ISO: t.text(0), NameKo: t.text(1), NameEn: t.text(2),
			Residents: t.count(3), Adults: t.count(4), Label: [2]float64{t.real(5), t.real(6)},
		})
		if i := len(n.Regions) - 1; i > 0 && n.Regions[i].ISO <= n.Regions[i-1].ISO {
			t.failf(0, "%s is out of order (sort by ISO code, each once)", t.text(0))
		}
	}
	return t.err
}

func (n *Nation) readMunicipalities(fsys fs.FS, folder string) error {
	t, err := openTable(fsys, path.Join(folder, "municipalities.csv"), "code", "name_ko", "name_en", "region")
	if err != nil {
		return err
	}
	for t.next() {
		region, ok := n.RegionIndex(t.text(3))
		if !ok {
			t.failf(3, "%s is not a region of regions.csv", t.text(3))
		}
		n.Municipalities = append(n.Municipalities, Municipality{
			Code: t.text(0), NameKo: t.text(1), NameEn: t.text(2), Region: region,
		})
		if i := len(n.Municipalities) - 1; i > 0 && n.Municipalities[i].Code <= n.Municipalities[i-1].Code {
			t.failf(0, "%s is out of order (sort by code, each once)", t.text(0))
		}
	}
	return t.err
}

func (n *Nation) readCentres(fsys fs.FS, folder string) error {
	columns := []string{"code", "name_ko", "kind", "municipality", "region"}
	for a := FirstAge; a <= LastAge; a++ {
		columns = append(columns, strconv.Itoa(a))
	}
	t, err := openTable(fsys, path.Join(folder, "centres.csv"), columns...)
	if err != nil {
		return err
	}
	adults := make([]int, len(n.Regions))
	for t.next() {
		c := Centre{Code: t.text(0), NameKo: t.text(1), Kind: t.text(2)}
		if !slices.Contains([]string{"dong", "eup", "myeon"}, c.Kind) {
			t.failf(2, "%q is no kind of centre (dong, eup or myeon)", c.Kind)
		}
		m, ok := n.MunicipalityIndex(t.text(3))
		switch {
		case !ok:
			t.failf(3, "%s is not a municipality of municipalities.csv", t.text(3))
		case n.Regions[n.Municipalities[m].Region].ISO != t.text(4):
			t.failf(4, "municipality %s lies in %s, not in %s", t.text(3), n.Regions[n.Municipalities[m].Region].ISO, t.text(4))
		case len(n.Centres) > 0 && c.Code <= n.Centres[len(n.Centres)-1].Code:
			t.failf(0, "%s is out of order (sort by code, each once)", c.Code)
		case len(n.Centres) > 0 && m < n.Centres[len(n.Centres)-1].Municipality:
			t.failf(3, "the centres of municipality %s are not together", t.text(3))
		}
		if t.err != nil {
			break
		}
		c.Municipality = m
		for i := range c.Age {
			c.Age[i] = int32(t.count(5 + i))
			adults[n.Municipalities[m].Region] += int(c.Age[i])
		}
		n.Centres = append(n.Centres, c)
	}
	if t.err != nil {
		return t.err
	}
	for i := range n.Municipalities {
		m := &n.Municipalities[i]
		m.First, _ = slices.BinarySearchFunc(n.Centres, i, func(c Centre, i int) int { return c.Municipality - i })
		m.End, _ = slices.BinarySearchFunc(n.Centres, i+1, func(c Centre, i int) int { return c.Municipality - i })
		if m.First == m.End {
			return fmt.Errorf("%s: municipality %s has no centre", t.file, m.Code)
		}
	}
	for i, r := range n.Regions {
		if adults[i] != r.Adults {
			return fmt.Errorf("%s: the centres of %s sum to %d residents of 17 and over, but regions.csv says %d", t.file, r.ISO, adults[i], r.Adults)
		}
	}
	return nil
}

func (n *Nation) readSex(fsys fs.FS, folder string) error {
	t, err := openTable(fsys, path.Join(folder, "sex.csv"), "municipality", "from", "male", "female")
	if err != nil {
		return err
	}
	n.male = make([][18]float64, len(n.Municipalities))
	seen := make([]int, len(n.Municipalities))
	for t.next() {
		m, ok := n.MunicipalityIndex(t.text(0))
		from, male, female := t.count(1), t.count(2), t.count(3)
		switch {
		case !ok:
			t.failf(0, "%s is not a municipality of municipalities.csv", t.text(0))
		case from%5 != 0 || from < 15 || from > LastAge:
			t.failf(1, "%d does not begin a band (15, 20, ... 100)", from)
		case male+female == 0:
			n.male[m][from/5-3] = 0.5 // nobody there to share
			seen[m]++
		default:
			n.male[m][from/5-3] = float64(male) / float64(male+female)
			seen[m]++
		}
	}
	if t.err != nil {
		return t.err
	}
	for i, k := range seen {
		if k != len(n.male[i]) {
			return fmt.Errorf("%s: municipality %s has %d of %d bands", t.file, n.Municipalities[i].Code, k, len(n.male[i]))
		}
	}
	return nil
}

// A tableReader reads a CSV file whose header must be as expected, remembers
// the first thing that is wrong, and says where.
type tableReader struct {
	file    string
	columns []string
	at      []int // where a column stands in the file
	csv     *csv.Reader
	row     []string
	err     error
}

func openTable(fsys fs.FS, file string, columns ...string) (*tableReader, error) {
	b, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, err
	}
	return parseTable(file, b, columns...)
}

func parseTable(file string, b []byte, columns ...string) (*tableReader, error) {
	r := csv.NewReader(bytes.NewReader(b))
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: no header row: %w", file, err)
	}
	t := &tableReader{file: file, columns: columns, csv: r, at: make([]int, len(columns))}
	for i, c := range columns {
		t.at[i] = slices.Index(header, c)
		if t.at[i] < 0 {
			return nil, fmt.Errorf("%s:1: no column %q", file, c)
		}
	}
	return t, nil
}

// next reads a row; false at the end or after an error.
func (t *tableReader) next() bool {
	if t.err != nil {
		return false
	}
	row, err := t.csv.Read()
	if err == io.EOF {
		return false
	}
	if err != nil {
		t.err = fmt.Errorf("%s: %w", t.file, err)
		return false
	}
	t.row = row
	return true
}

func (t *tableReader) text(column int) string { return t.row[t.at[column]] }

func (t *tableReader) count(column int) int {
	n, err := strconv.ParseUint(t.text(column), 10, 31)
	if err != nil {
		t.failf(column, "%q is not a whole number of people", t.text(column))
	}
	return int(n)
}

func (t *tableReader) real(column int) float64 {
	x, err := strconv.ParseFloat(t.text(column), 64)
	if err != nil {
		t.failf(column, "%q is not a number", t.text(column))
	}
	return x
}

func (t *tableReader) failf(column int, format string, args ...any) {
	if t.err != nil {
		return
	}
	line, col := t.csv.FieldPos(t.at[column])
	t.err = fmt.Errorf("%s:%d:%d: %s: %s", t.file, line, col, t.columns[column], fmt.Sprintf(format, args...))
}
