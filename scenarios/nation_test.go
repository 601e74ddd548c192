package scenarios

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

func nation(t testing.TB) *Nation {
	t.Helper()
	n, err := LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNationHas44765276ResidentsOf17AndOver(t *testing.T) {
	n := nation(t)
	total := 0
	for i := range n.Centres {
		total += n.Centres[i].Adults()
	}
	if total != 44_765_276 {
		t.Errorf("%d residents of 17 and over", total)
	}
	if len(n.Regions) != 17 || len(n.Municipalities) != 229 || len(n.Centres) != 3553 {
		t.Errorf("%d regions, %d municipalities, %d centres", len(n.Regions), len(n.Municipalities), len(n.Centres))
	}
}

// testdata/published_single_years.csv holds residents by region and single year
// at the end of June 2024, as the ministry publishes them (data/README.md).
func TestEveryRegionHasThePublishedResidentsOfEverySingleYear(t *testing.T) {
	n := nation(t)
	got := make([][Ages]int, len(n.Regions))
	for _, c := range n.Centres {
		for i, x := range c.Age {
			got[n.Municipalities[c.Municipality].Region][i] += int(x)
		}
	}
	table, err := openTable(os.DirFS("testdata"), "published_single_years.csv", "iso", "age", "population")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for table.next() {
		r, _ := n.RegionIndex(table.text(0))
		if g, want := got[r][table.count(1)-FirstAge], table.count(2); g != want {
			t.Errorf("%s, %d years: %d residents, published %d", table.text(0), table.count(1), g, want)
		}
		rows++
	}
	if table.err != nil || rows != 17*Ages {
		t.Errorf("%d rows, %v", rows, table.err)
	}
}

func TestBranchOfficesBelongToTheirTown(t *testing.T) {
	n := nation(t)
	for _, x := range []struct {
		code, name string
		from20     int // of the town and its branch offices, as published
	}{
		{"4824051000", "동서동", 5249},  // with Sinsu-do
		{"4827025000", "삼랑진읍", 5867}, // with Imcheon
		{"4418032000", "오천면", 4260},  // with the port and Wonsan-do
	} {
		i, ok := n.CentreIndex(x.code)
		if !ok || n.Centres[i].NameKo != x.name {
			t.Errorf("no centre %s %s", x.code, x.name)
			continue
		}
		c := n.Centres[i]
		if got := c.Adults() - int(c.Age[0]+c.Age[1]+c.Age[2]); got != x.from20 {
			t.Errorf("%s: %d residents of 20 and over, published %d", x.name, got, x.from20)
		}
	}
	for _, c := range n.Centres {
		if strings.HasSuffix(c.NameKo, "출장소") {
			t.Errorf("%s %s is a branch office", c.Code, c.NameKo)
		}
	}
}

func TestGuOfACityAreOneMunicipality(t *testing.T) {
	n := nation(t)
	for code, want := range map[string]struct {
		name, en string
		centres  int
	}{
		"41280": {"고양시", "Goyang-si", 44},
		"48120": {"창원시", "Changwon-si", 55},
		"36110": {"세종특별자치시", "Sejong", 24},
		"30170": {"서구", "Seo-gu", 24},
	} {
		i, ok := n.MunicipalityIndex(code)
		if !ok {
			t.Errorf("no municipality %s", code)
			continue
		}
		m := n.Municipalities[i]
		if m.NameKo != want.name || m.NameEn != want.en || m.End-m.First != want.centres {
			t.Errorf("%s: %s, %s, %d centres", code, m.NameKo, m.NameEn, m.End-m.First)
		}
		for _, c := range n.Centres[m.First:m.End] {
			if c.Municipality != i {
				t.Errorf("centre %s lies in %d, not %d", c.Code, c.Municipality, i)
			}
		}
	}
}

func TestWomenOutliveMen(t *testing.T) {
	n := nation(t)
	i, _ := n.MunicipalityIndex("11110")
	if got := n.MaleShare(i, 22); got < 0.44 || got > 0.46 { // 3,919 of 8,596
		t.Errorf("men of 20-24 in Jongno-gu: %.3f", got)
	}
	if young, old := n.MaleShare(i, 17), n.MaleShare(i, 103); young < 0.45 || old > 0.35 {
		t.Errorf("17: %.3f, 100 and over: %.3f", young, old)
	}
}

func TestDataFilesThatDoNotBelongTogetherAreRefusedWithPlaceAndReason(t *testing.T) {
	files := func(change func(fs fstest.MapFS)) fstest.MapFS {
		ages := ""
		for a := FirstAge; a <= LastAge; a++ {
			ages += "," + itoa(a)
		}
		fs := fstest.MapFS{
			"d/regions.csv": {Data: []byte("iso,name_ko,name_en,residents_20240630,residents_17plus_20240630,label_x,label_y\n" +
				"KR-49,제주,Jeju,100,84,1,2\n")},
			"d/municipalities.csv": {Data: []byte("code,name_ko,name_en,region\n50110,제주시,Jeju-si,KR-49\n")},
			"d/centres.csv": {Data: []byte("code,name_ko,kind,municipality,region" + ages + "\n" +
				"5011025000,한림읍,eup,50110,KR-49" + strings.Repeat(",1", Ages) + "\n")},
			"d/sex.csv": {Data: []byte("municipality,from,male,female\n" + sexRows("50110"))},
		}
		change(fs)
		return fs
	}
	edit := func(name, old, new string) func(fs fstest.MapFS) {
		return func(fs fstest.MapFS) {
			fs[name].Data = []byte(strings.Replace(string(fs[name].Data), old, new, 1))
		}
	}
	if _, err := ReadNation(files(func(fstest.MapFS) {}), "d"); err != nil {
		t.Fatalf("the files as they should be: %v", err)
	}
	for _, x := range []struct {
		change func(fstest.MapFS)
		want   string
	}{
		{edit("d/centres.csv", "eup,50110", "eup,50111"), "d/centres.csv:2:26: municipality: 50111 is not a municipality of municipalities.csv"},
		{edit("d/centres.csv", "eup", "city"), `d/centres.csv:2:22: kind: "city" is no kind of centre (dong, eup or myeon)`},
		{edit("d/centres.csv", ",1\n", ",-1\n"), `d/centres.csv:2:204: 100: "-1" is not a whole number of people`},
		{edit("d/centres.csv", ",1\n", ",2\n"), "d/centres.csv: the centres of KR-49 sum to 85 residents of 17 and over, but regions.csv says 84"},
		{edit("d/centres.csv", ",100", ",101"), `d/centres.csv:1: no column "100"`},
		{edit("d/municipalities.csv", "KR-49", "KR-94"), "d/municipalities.csv:2:25: region: KR-94 is not a region of regions.csv"},
		{edit("d/regions.csv", "84,1", "84,x"), `d/regions.csv:2:26: label_x: "x" is not a number`},
		{edit("d/sex.csv", "50110,15", "50110,16"), "d/sex.csv:2:7: from: 16 does not begin a band (15, 20, ... 100)"},
		{func(fs fstest.MapFS) { fs["d/sex.csv"].Data = []byte("municipality,from,male,female\n") }, "d/sex.csv: municipality 50110 has 0 of 18 bands"},
		{func(fs fstest.MapFS) { fs["d/sex.csv"].Data = nil }, "d/sex.csv: no header row: EOF"},
		{func(fs fstest.MapFS) { delete(fs, "d/sex.csv") }, "open d/sex.csv: file does not exist"},
		{edit("d/centres.csv", "KR-49,1,", "KR-49,"), "d/centres.csv: record on line 2: wrong number of fields"},
	} {
		_, err := ReadNation(files(x.change), "d")
		if err == nil || err.Error() != x.want {
			t.Errorf("got  %v\nwant %s", err, x.want)
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

func sexRows(code string) string {
	s := ""
	for from := 15; from <= LastAge; from += 5 {
		s += code + "," + itoa(from) + ",1,1\n"
	}
	return s
}

func BenchmarkReadNation(b *testing.B) {
	for b.Loop() {
		if _, err := ReadNation(dataFiles, "data"); err != nil {
			b.Fatal(err)
		}
	}
}
