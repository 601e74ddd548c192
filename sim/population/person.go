package population

import (
	"fmt"
	"sync"
	"time"

	"github.com/brianvoe/gofakeit/v7"

	"rollcall.example/rollcall/sim/rng"
)

// Person is who a citizen is on paper. All of it is made up; made on demand for
// the few thousand citizens who need it.
type Person struct {
	ID         uint32
	FamilyName string // Korean
	GivenName  string // Korean
	Romanised  string // "KIM MINJUN"
	Birth      time.Time
	Male       bool
	Age        int
	RRN        string // resident registration number with a deliberately wrong check digit
	Address    string // Korean, ends with the centre's name
	Centre     int    // index in Nation.Centres
}

// MaskedRRN shows as much as may be shown: "900102-1******".
func (p Person) MaskedRRN() string { return p.RRN[:8] + "******" }

// koreanNames is what gofakeit does not have. Family names with their share in
// per mille of the population, [A] from the census of 2015, the twenty most
// frequent; given names [A], two syllables joined.
var koreanNames = struct {
	family []struct {
		ko, en string
		share  float32
	}
	first, male, female []struct{ ko, en string }
	streets             []string
}{
	family: []struct {
		ko, en string
		share  float32
	}{
		{"김", "KIM", 215}, {"이", "LEE", 147}, {"박", "PARK", 84}, {"최", "CHOI", 47}, {"정", "JEONG", 43},
		{"강", "KANG", 24}, {"조", "CHO", 21}, {"윤", "YOON", 21}, {"장", "JANG", 20}, {"임", "LIM", 17},
		{"한", "HAN", 15}, {"오", "OH", 15}, {"서", "SEO", 15}, {"신", "SHIN", 15}, {"권", "KWON", 14},
		{"황", "HWANG", 14}, {"안", "AHN", 14}, {"송", "SONG", 14}, {"류", "RYU", 13}, {"홍", "HONG", 11},
	},
	first:   []struct{ ko, en string }{{"민", "MIN"}, {"서", "SEO"}, {"지", "JI"}, {"현", "HYEON"}, {"수", "SU"}, {"영", "YEONG"}, {"은", "EUN"}, {"정", "JEONG"}, {"성", "SEONG"}, {"미", "MI"}, {"재", "JAE"}, {"동", "DONG"}},
	male:    []struct{ ko, en string }{{"준", "JUN"}, {"호", "HO"}, {"우", "WOO"}, {"훈", "HOON"}, {"석", "SEOK"}, {"철", "CHEOL"}, {"식", "SIK"}, {"환", "HWAN"}, {"진", "JIN"}, {"수", "SU"}},
	female:  []struct{ ko, en string }{{"연", "YEON"}, {"희", "HUI"}, {"숙", "SUK"}, {"아", "A"}, {"경", "GYEONG"}, {"윤", "YUN"}, {"자", "JA"}, {"진", "JIN"}, {"영", "YEONG"}, {"순", "SUN"}},
	streets: []string{"중앙로", "새싹로", "평화로", "무지개길", "한마음길", "솔밭로", "은하수로", "소망길", "느티나무길", "시범로"},
}

// registerKorean gives gofakeit the Korean names and streets, once.
var registerKorean = sync.OnceFunc(func() {
	pick := func(from []struct{ ko, en string }) func(*gofakeit.Faker, *gofakeit.MapParams, *gofakeit.Info) (any, error) {
		return func(f *gofakeit.Faker, _ *gofakeit.MapParams, _ *gofakeit.Info) (any, error) {
			return from[f.IntN(len(from))], nil
		}
	}
	gofakeit.AddFuncLookup("koreanfamily", gofakeit.Info{Display: "Korean family name", Category: "person", Output: "string",
		Generate: func(f *gofakeit.Faker, _ *gofakeit.MapParams, _ *gofakeit.Info) (any, error) {
			options, weights := make([]any, len(koreanNames.family)), make([]float32, len(koreanNames.family))
			for i, n := range koreanNames.family {
				options[i], weights[i] = i, n.share
			}
			i, err := f.Weighted(options, weights)
			if err != nil {
				return nil, err
			}
			n := koreanNames.family[i.(int)]
			return struct{ ko, en string }{n.ko, n.en}, nil
		}})
	gofakeit.AddFuncLookup("koreanfirst", gofakeit.Info{Display: "Korean syllable", Category: "person", Generate: pick(koreanNames.first)})
	gofakeit.AddFuncLookup("koreanmale", gofakeit.Info{Display: "Korean syllable", Category: "person", Generate: pick(koreanNames.male)})
	gofakeit.AddFuncLookup("koreanfemale", gofakeit.Info{Display: "Korean syllable", Category: "person", Generate: pick(koreanNames.female)})
	gofakeit.AddFuncLookup("koreanstreet", gofakeit.Info{Display: "Korean street", Category: "address", Generate: func(f *gofakeit.Faker, _ *gofakeit.MapParams, _ *gofakeit.Info) (any, error) {
		return f.RandomString(koreanNames.streets), nil
	}})
})

// Person makes up who a citizen is. Ages are completed years on the given day.
func (p *Population) Person(d *Drawer, id uint32, on time.Time) Person {
	registerKorean()
	centre, age := p.Home(id)
	c := &p.Nation.Centres[centre]
	m := &p.Nation.Municipalities[c.Municipality]
	out := Person{ID: id, Age: age, Centre: centre, Male: d.Traits(id, c.Municipality, age).Male}

	f := gofakeit.NewFaker(d.Source.Stream(id, ForName, 0), false)
	syllable := func(kind string) struct{ ko, en string } {
		v, err := gofakeit.GetFuncLookup(kind).Generate(f, nil, nil)
		if err != nil {
			panic(err) // the tables above are constant
		}
		return v.(struct{ ko, en string })
	}
	family, first := syllable("koreanfamily"), syllable("koreanfirst")
	last := syllable(map[bool]string{true: "koreanmale", false: "koreanfemale"}[out.Male])
	out.FamilyName, out.GivenName = family.ko, first.ko+last.ko
	out.Romanised = family.en + " " + first.en + last.en
	street, _ := gofakeit.GetFuncLookup("koreanstreet").Generate(f, nil, nil)
	out.Address = fmt.Sprintf("%s %s %s %d (%s)", p.Nation.Regions[m.Region].NameKo, m.NameKo, street, f.IntRange(1, 300), c.NameKo)

	// The last birthday lies within the year before the day.
	day := time.Date(on.Year(), on.Month(), on.Day(), 0, 0, 0, 0, time.UTC)
	out.Birth = day.AddDate(-age, 0, -int(BirthdayFraction(d.Source, id)*365))
	out.RRN = syntheticRRN(out.Birth, out.Male, f)
	return out
}

// BirthdayFraction is how long ago the last birthday was at the start, in years.
func BirthdayFraction(src rng.Source, id uint32) float64 {
	return rng.Uniform(src.Draw(id, ForFirstCard, 0)[0])
}

// syntheticRRN makes a number in the form used up to October 2020, with a check
// digit that is one too high, so that it is nobody's.
func syntheticRRN(birth time.Time, male bool, f *gofakeit.Faker) string {
	return numbered(birth, male, fmt.Sprintf("%04d%d", f.IntRange(0, 9599), f.IntRange(1, 5)))
}

// numbered is the number of who was born on a day, with the serial part of five digits.
func numbered(birth time.Time, male bool, serial string) string {
	s := map[bool]int{true: 1, false: 2}[male]
	switch c := birth.Year() / 100; c {
	case 18:
		s = map[bool]int{true: 9, false: 0}[male]
	case 20:
		s += 2
	}
	head := fmt.Sprintf("%s%d%s", birth.Format("060102"), s, serial)
	return fmt.Sprintf("%s-%s%d", head[:6], head[6:], (RRNCheckDigit(head)+1)%10)
}

// BornOn gives a person another day of birth, and the number that goes with it.
func (p *Person) BornOn(day time.Time) {
	p.Birth, p.RRN = day, numbered(day, p.Male, p.RRN[8:13])
}

// Numbered gives a person a number of their own among those who are entered into one
// register: the n-th, which nobody else's n below 800,000 gives, whatever the day of
// birth, nor Person. Its check digit is at least two too high.
func (p *Person) Numbered(n uint32) {
	p.RRN = numbered(p.Birth, p.Male, fmt.Sprintf("%05d", n%100_000))
	check := int(p.RRN[13] - '0') // one too high
	p.RRN = fmt.Sprintf("%s%d", p.RRN[:13], (check+1+int(n/100_000)%8)%10)
}

// RRNCheckDigit is the right check digit of the first twelve digits.
func RRNCheckDigit(twelve string) int {
	sum := 0
	for i, w := range [12]int{2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5} {
		sum += int(twelve[i]-'0') * w
	}
	return (11 - sum%11) % 10
}
