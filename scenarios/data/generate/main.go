// Command generate makes the population files of scenarios/data from the
// ministry's tables, as they were gathered (see ../README.md for their origin):
//
//	go run ./scenarios/data/generate SOURCE scenarios/data
//
// SOURCE holds eupmyeondong.csv, sigungu.csv, sigungu_age5_sex_202412.csv,
// sido.csv, sido_age.csv, smartphone_ownership.csv, programme_facts.csv and
// map_sido.svgpaths.json. What is written:
//
//   - centres.csv: one row for each of the 3,553 community centres, with its
//     residents of every age from 17 to 99 and of 100 and over;
//   - municipalities.csv: the 229 basic municipalities;
//   - regions.csv: the 17 regions with the published figures;
//   - sex.csv: men and women by municipality and five-year band;
//   - the smartphone survey, the programme's facts and the map, as they are.
//
// The same sources give the same bytes. Every sum that is published is checked
// before anything is written.
package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
)

const (
	nationAdults = 44_765_276 // 17 and over, June 2024
	centreCount  = 3_553
	cityCount    = 229
	firstAge     = 17
	lastAge      = 100 // and over
	ages         = lastAge - firstAge + 1
	reference    = "2024-06-30"
)

// mergedByHand are the branch offices whose names do not begin with their
// town's. Sinsu-do is an island of Dongseo-dong.
var mergedByHand = map[string]string{
	"4418032900": "오천면",
	"4827025100": "삼랑진읍",
	"4824089000": "동서동",
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: generate SOURCE TARGET")
		os.Exit(2)
	}
	if err := generate(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// A table is a CSV file read by column name.
type table struct {
	name    string
	columns map[string]int
	rows    [][]string
}

func read(folder, name string) (*table, error) {
	f, err := os.Open(filepath.Join(folder, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("%s: no rows", name)
	}
	t := &table{name: name, columns: map[string]int{}, rows: rows[1:]}
	for i, c := range rows[0] {
		t.columns[c] = i
	}
	return t, nil
}

func (t *table) text(row []string, column string) string {
	i, ok := t.columns[column]
	if !ok {
		panic(fmt.Sprintf("%s has no column %q", t.name, column))
	}
	return row[i]
}

func (t *table) number(row []string, column string) int64 {
	s := t.text(row, column)
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("%s: %s is %q, not a number, in the row of %s", t.name, column, s, row[2]))
	}
	return n
}

// A band is five years of age: 15-19, 20-24 ... 95-99, 100 and over.
type band struct {
	column   string
	from, to int
}

var bands = func() (b []band) {
	for from := 15; from < 100; from += 5 {
		b = append(b, band{fmt.Sprintf("age_%d_%d", from, from+4), from, from + 4})
	}
	return append(b, band{"age_100_plus", 100, 100})
}()

type centre struct {
	code, name, kind, municipality, region string
	band                                   []int64 // residents by five-year band; the first is 17-19
	age                                    [ages]int64
}

type municipality struct{ code, ko, en, region string }

// municipalityOf joins the gu of a city: Jangan-gu of Suwon, 41111, is 41110.
func municipalityOf(code, nameKo string) string {
	if strings.Contains(nameKo, " ") {
		return code[:4] + "0"
	}
	return code
}

func generate(source, target string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if s, ok := p.(string); ok {
				err = fmt.Errorf("%s", s)
				return
			}
			panic(p)
		}
	}()
	load := func(name string) *table {
		t, e := read(source, name)
		if e != nil {
			panic(e.Error())
		}
		return t
	}
	towns, sigungu := load("eupmyeondong.csv"), load("sigungu.csv")
	sido, sidoAge := load("sido.csv"), load("sido_age.csv")
	sexes := load("sigungu_age5_sex_202412.csv")

	// Published single years by region.
	single := map[string]*[lastAge + 1]int64{}
	for _, r := range sidoAge.rows {
		if sidoAge.text(r, "reference_date") != reference {
			continue
		}
		iso := sidoAge.text(r, "iso")
		if single[iso] == nil {
			single[iso] = new([lastAge + 1]int64)
		}
		single[iso][sidoAge.number(r, "age")] = sidoAge.number(r, "population")
	}

	municipalities := map[string]municipality{}
	for _, r := range sigungu.rows {
		code, ko, en := sigungu.text(r, "sigungu_code"), sigungu.text(r, "name_ko"), sigungu.text(r, "name_en")
		m := municipality{municipalityOf(code, ko), ko, en, sigungu.text(r, "iso")}
		if m.code != code {
			m.ko, m.en = strings.Fields(ko)[0], strings.Fields(en)[0]
		}
		municipalities[m.code] = m
	}
	if len(municipalities) != cityCount {
		return fmt.Errorf("%d municipalities, not %d", len(municipalities), cityCount)
	}

	centres, err := mergeBranches(towns)
	if err != nil {
		return err
	}
	if len(centres) != centreCount {
		return fmt.Errorf("%d centres, not %d", len(centres), centreCount)
	}
	byRegion := map[string][]*centre{}
	for _, c := range centres {
		if _, ok := municipalities[c.municipality]; !ok {
			return fmt.Errorf("centre %s lies in municipality %s, which sigungu.csv does not have", c.code, c.municipality)
		}
		byRegion[c.region] = append(byRegion[c.region], c)
	}
	var total int64
	for _, r := range sido.rows {
		iso, adults := sido.text(r, "iso"), sido.number(r, "population_17plus_20240630")
		if single[iso] == nil {
			return fmt.Errorf("sido_age.csv has no single years of %s for %s", iso, reference)
		}
		if err := splitRegion(byRegion[iso], adults, single[iso]); err != nil {
			return fmt.Errorf("%s: %w", iso, err)
		}
		total += adults
	}
	if total != nationAdults {
		return fmt.Errorf("the regions sum to %d residents of 17 and over, not %d", total, nationAdults)
	}

	return write(target, map[string][]byte{
		"centres.csv":              centresCSV(centres),
		"municipalities.csv":       municipalitiesCSV(municipalities),
		"regions.csv":              regionsCSV(sido, source),
		"sex.csv":                  sexCSV(sexes, municipalities),
		"smartphone_ownership.csv": copyOf(source, "smartphone_ownership.csv"),
		"programme_facts.csv":      copyOf(source, "programme_facts.csv"),
		"map_sido.svgpaths.json":   copyOf(source, "map_sido.svgpaths.json"),
	})
}

// mergeBranches reads the towns and adds each branch office to the town whose
// name it begins with.
func mergeBranches(towns *table) ([]*centre, error) {
	var centres []*centre
	byTown := map[string]*centre{} // sigungu code + name
	for _, r := range towns.rows {
		if towns.text(r, "kind") == "branch_office" {
			continue
		}
		sigungu := towns.text(r, "sigungu_code")
		c := &centre{
			code: towns.text(r, "hjd_code"), name: towns.text(r, "name_ko"), kind: towns.text(r, "kind"),
			municipality: municipalityOf(sigungu, towns.text(r, "sigungu_ko")), region: towns.text(r, "iso"),
			band: make([]int64, len(bands)),
		}
		for i, b := range bands {
			c.band[i] = towns.number(r, b.column)
		}
		centres = append(centres, c)
		byTown[sigungu+c.name] = c
	}
	for _, r := range towns.rows {
		if towns.text(r, "kind") != "branch_office" {
			continue
		}
		code, name, sigungu := towns.text(r, "hjd_code"), towns.text(r, "name_ko"), towns.text(r, "sigungu_code")
		town := byTown[sigungu+mergedByHand[code]]
		for key, c := range byTown {
			longer := town == nil || len(c.name) > len(town.name)
			if key[:5] == sigungu && strings.HasPrefix(name, c.name) && longer {
				town = c
			}
		}
		if town == nil {
			return nil, fmt.Errorf("branch office %s %s belongs to no town of %s", code, name, sigungu)
		}
		for i, b := range bands {
			town.band[i] += towns.number(r, b.column)
		}
	}
	slices.SortFunc(centres, func(a, b *centre) int { return strings.Compare(a.code, b.code) })
	return centres, nil
}

// splitRegion makes single years out of a region's five-year bands. The
// residents of 17-19 are the centre's band 15-19 times the region's share, by
// largest remainder, so that the region's 17 and over is the published figure.
func splitRegion(centres []*centre, adults int64, published *[lastAge + 1]int64) error {
	teens := adults
	for _, c := range centres {
		for _, n := range c.band[1:] {
			teens -= n
		}
	}
	if p := published[17] + published[18] + published[19]; p != teens {
		return fmt.Errorf("17-19 should be %d by the published 17 and over, but is %d in single years", teens, p)
	}
	weights := make([]int64, len(centres))
	for i, c := range centres {
		weights[i] = c.band[0]
	}
	for i, n := range largestRemainder(teens, weights) {
		centres[i].band[0] = n
	}
	for i, b := range bands {
		splitBand(centres, i, max(b.from, firstAge), b.to, published)
	}
	return nil
}

// largestRemainder shares out a whole number in proportion to weights; equal
// remainders go to the earlier.
func largestRemainder(whole int64, weights []int64) []int64 {
	var sum int64
	for _, w := range weights {
		sum += w
	}
	out, rest := make([]int64, len(weights)), make([]int64, len(weights))
	left := whole
	for i, w := range weights {
		out[i], rest[i] = whole*w/sum, whole*w%sum
		left -= out[i]
	}
	order := make([]int, len(weights))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return rest[order[a]] > rest[order[b]] })
	for _, i := range order[:left] {
		out[i]++
	}
	return out
}

// splitBand splits one band of every centre into single years in the region's
// proportions. Rounding is carried from centre to centre, so that it does not
// favour an age: each resident goes to the year that is furthest behind. The
// centre's band stays exact.
func splitBand(centres []*centre, b, from, to int, published *[lastAge + 1]int64) {
	var sum int64
	for y := from; y <= to; y++ {
		sum += published[y]
	}
	behind := make([]int64, to-from+1) // in 1/sum of a person
	for _, c := range centres {
		n := c.band[b]
		for y := range behind {
			behind[y] += n * published[from+y]
		}
		for range n {
			best := 0
			for y := range behind {
				if behind[y] > behind[best] {
					best = y
				}
			}
			behind[best] -= sum
			c.age[from+best-firstAge]++
		}
	}
}

func toCSV(rows [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(rows); err != nil {
		panic(err.Error())
	}
	return b.Bytes()
}

func centresCSV(centres []*centre) []byte {
	header := []string{"code", "name_ko", "kind", "municipality", "region"}
	for a := firstAge; a <= lastAge; a++ {
		header = append(header, strconv.Itoa(a))
	}
	rows := [][]string{header}
	for _, c := range centres {
		row := []string{c.code, c.name, c.kind, c.municipality, c.region}
		for _, n := range c.age {
			row = append(row, strconv.FormatInt(n, 10))
		}
		rows = append(rows, row)
	}
	return toCSV(rows)
}

func municipalitiesCSV(byCode map[string]municipality) []byte {
	rows := [][]string{{"code", "name_ko", "name_en", "region"}}
	for _, code := range sorted(byCode) {
		m := byCode[code]
		rows = append(rows, []string{m.code, m.ko, m.en, m.region})
	}
	return toCSV(rows)
}

func regionsCSV(sido *table, source string) []byte {
	var drawn struct {
		Regions map[string]struct{ Label []float64 }
	}
	if err := json.Unmarshal(copyOf(source, "map_sido.svgpaths.json"), &drawn); err != nil {
		panic("map_sido.svgpaths.json: " + err.Error())
	}
	byISO := map[string][]string{}
	for _, r := range sido.rows {
		iso := sido.text(r, "iso")
		label := drawn.Regions[iso].Label
		if len(label) != 2 {
			panic("map_sido.svgpaths.json has no label point for " + iso)
		}
		byISO[iso] = []string{iso, sido.text(r, "name_ko"), sido.text(r, "name_en"),
			sido.text(r, "population_20240630"), sido.text(r, "population_17plus_20240630"), sido.text(r, "population_20241231"),
			strconv.FormatFloat(label[0], 'f', -1, 64), strconv.FormatFloat(label[1], 'f', -1, 64)}
	}
	rows := [][]string{{"iso", "name_ko", "name_en", "residents_20240630", "residents_17plus_20240630", "residents_20241231", "label_x", "label_y"}}
	for _, iso := range sorted(byISO) {
		rows = append(rows, byISO[iso])
	}
	return toCSV(rows)
}

func sexCSV(sexes *table, municipalities map[string]municipality) []byte {
	count := map[string]map[string][]int64{}
	names := map[string]bool{}
	for _, r := range sexes.rows {
		code := sexes.text(r, "sigungu_code")
		if _, ok := municipalities[code]; !ok {
			code = code[:4] + "0"
		}
		if _, ok := municipalities[code]; !ok {
			panic("sigungu_age5_sex_202412.csv: unknown municipality " + sexes.text(r, "sigungu_code"))
		}
		names[code] = true
		if count[code] == nil {
			count[code] = map[string][]int64{"M": make([]int64, len(bands)), "F": make([]int64, len(bands))}
		}
		for i, b := range bands {
			count[code][sexes.text(r, "sex")][i] += sexes.number(r, b.column)
		}
	}
	if len(names) != len(municipalities) {
		panic(fmt.Sprintf("sigungu_age5_sex_202412.csv has %d municipalities, not %d", len(names), len(municipalities)))
	}
	rows := [][]string{{"municipality", "from", "male", "female"}}
	for _, code := range sorted(count) {
		for i, b := range bands {
			rows = append(rows, []string{code, strconv.Itoa(b.from),
				strconv.FormatInt(count[code]["M"][i], 10), strconv.FormatInt(count[code]["F"][i], 10)})
		}
	}
	return toCSV(rows)
}

func copyOf(source, name string) []byte {
	b, err := os.ReadFile(filepath.Join(source, name))
	if err != nil {
		panic(err.Error())
	}
	return b
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func write(target string, files map[string][]byte) error {
	for _, name := range sorted(files) {
		if err := os.WriteFile(filepath.Join(target, name), files[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}
