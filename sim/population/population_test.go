package population

import (
	"math"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rng"
)

func nation(t testing.TB) *Population {
	t.Helper()
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	return New(n)
}

func drawer(p *Population) *Drawer {
	return NewDrawer(rng.New(1), p.Nation, &scenarios.Phones{NFC: 0.95, Owned: scenarios.ByAge{{From: 17, Value: 0.99}, {From: 70, Value: 0.73}}})
}

func TestTheNationHas44765276ResidentsOf17AndOver(t *testing.T) {
	if got := nation(t).Len(); got != 44_765_276 {
		t.Errorf("%d citizens", got)
	}
}

func TestEveryNumberHasOneHome(t *testing.T) {
	p := nation(t)
	for c := range p.Nation.Centres {
		first, end := p.Range(c)
		for _, id := range []uint32{first, end - 1} {
			if first == end {
				continue
			}
			centre, age := p.Home(id)
			a, b := p.AgeRange(centre, age)
			if centre != c || id < a || id >= b {
				t.Fatalf("citizen %d of centre %d is at home in %d at %d", id, c, centre, age)
			}
		}
	}
}

func TestPhonesComeInTheSharesOfTheSurvey(t *testing.T) {
	p := nation(t)
	d := drawer(p)
	const n = 100_000
	owned := 0
	for id := range uint32(n) {
		if d.Traits(id, 0, 75).Phone != NoPhone {
			owned++
		}
	}
	if se := math.Sqrt(0.73 * 0.27 / n); math.Abs(float64(owned)/n-0.73) > 3*se {
		t.Errorf("%d of %d have a phone, want 73 %%", owned, n)
	}
}

func TestASyntheticNumberIsNobodysAndAPersonFitsTheirCell(t *testing.T) {
	p := nation(t)
	d := drawer(p)
	on := time.Date(2024, 12, 27, 0, 0, 0, 0, scenarios.KST)
	for id := uint32(0); id < p.Len(); id += 400_009 {
		q := p.Person(d, id, on)
		if q != p.Person(d, id, on) {
			t.Fatal("the same citizen is made up differently")
		}
		digits := strings.Replace(q.RRN, "-", "", 1)
		young := q
		if young.BornOn(time.Date(2010, 2, 28, 0, 0, 0, 0, time.UTC)); young.RRN[:6] != "100228" || young.RRN[6:8] != map[bool]string{true: "-3", false: "-4"}[q.Male] ||
			young.RRN[8:13] != q.RRN[8:13] || int(young.RRN[13]-'0') != (RRNCheckDigit(strings.Replace(young.RRN, "-", "", 1)[:12])+1)%10 {
			t.Errorf("%s, born in 2010, has %s", q.RRN, young.RRN)
		}
		if len(q.RRN) != 14 || int(digits[12]-'0') == RRNCheckDigit(digits[:12]) {
			t.Errorf("%s could be somebody's", q.RRN)
		}
		if !strings.HasPrefix(q.RRN, q.Birth.Format("060102")) || !strings.HasSuffix(q.MaskedRRN(), "-"+digits[6:7]+"******") {
			t.Errorf("%s of %s shown as %s", q.RRN, q.Birth, q.MaskedRRN())
		}
		had := on.Year() - q.Birth.Year()
		if q.Birth.AddDate(had, 0, 0).After(on) {
			had--
		}
		if had != q.Age {
			t.Errorf("citizen %d is %d years old, born %s", id, q.Age, q.Birth)
		}
		if q.FamilyName == "" || q.GivenName == "" || !strings.Contains(q.Address, p.Nation.Centres[q.Centre].NameKo) {
			t.Errorf("incomplete person %+v", q)
		}
	}
}

// Worked example of the weights: 2·9+3·0+4·0+5·1+6·0+7·2+8·1+9·0+2·0+3·0+4·0+5·1 = 50; (11 − 50 mod 11) mod 10.
func TestCheckDigit(t *testing.T) {
	if got := RRNCheckDigit("900102100001"); got != (11-50%11)%10 {
		t.Errorf("%d", got)
	}
}

func TestWhoIsEnteredIntoOneRegisterHasANumberOfTheirOwn(t *testing.T) {
	people := nation(t)
	on := time.Date(2024, 12, 27, 0, 0, 0, 0, scenarios.KST)
	p := people.Person(drawer(people), 7, on)
	seen := map[string]bool{p.RRN: true}
	for n := range uint32(800_000) {
		p.Numbered(n)
		if seen[p.RRN] {
			t.Fatalf("%s was given twice to people born on one day, last to number %d", p.RRN, n)
		}
		seen[p.RRN] = true
		if check := RRNCheckDigit(p.RRN[:6] + p.RRN[7:13]); n%997 == 0 && (int(p.RRN[13]-'0') == check || int(p.RRN[13]-'0') == (check+1)%10 || p.RRN[:6] != p.Birth.Format("060102")) {
			t.Errorf("number %d is %s, which could be somebody's, or Person's", n, p.RRN)
		}
	}
}
