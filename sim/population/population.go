// Package population is who lives where: every resident of 17 and over as a
// number, with centre, age, sex, phone and habits drawn on demand from the
// streams of sim/rng, so that no list of 44.7 million people is ever kept.
//
// A citizen's number is a global ordinal made from the data alone (centre code,
// age, ordinal within both), independent of scenario, layout and of which
// regions are simulated. The package knows nothing of the ID service.
package population

import (
	"fmt"
	"sort"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rng"
)

// Purposes of draws in the whole model. Append only: a code never changes its
// meaning, or every stored result would.
const (
	ForSex rng.Purpose = iota + 1
	ForPhone
	ForHabit
	ForName
	ForPool
	ForFirstCard
	ForAdoption
	ForAffair
	ForVisit
	ForTap
	ForFace
	ForPhoto
	ForCardLoss
	ForCardStep
	ForPhoneLoss
	ForPhoneStep
	ForFinder
	ForDemand
	ForNetwork
	ForOrder
	ForOtherBusiness // subject: centre
	ForMunicipality  // subject: municipality
	ForVerifier      // subject: place and verifier
	ForAbsent        // subject: operation
	ForPanel
	ForDevice
	ForService
	ForChaos       // subject: operation
	ForReplication // subject: number of the replication
	ForAssumption  // subject and occurrence: name of the parameter
	ForStandby     // what people do whose report a stand-by site does not know
)

// Population is the layout: the citizens of a centre are consecutive, ordered
// by age. It is read-only and shared.
type Population struct {
	Nation *scenarios.Nation
	first  []uint32   // number of the first citizen of each centre; one more at the end
	prefix [][]uint32 // per centre: citizens younger than FirstAge+i
}

// New lays out a nation.
func New(n *scenarios.Nation) *Population {
	p := &Population{Nation: n, first: make([]uint32, len(n.Centres)+1), prefix: make([][]uint32, len(n.Centres))}
	var at uint32
	for i := range n.Centres {
		p.first[i] = at
		pre := make([]uint32, scenarios.Ages+1)
		for a, k := range n.Centres[i].Age {
			pre[a+1] = pre[a] + uint32(k)
		}
		p.prefix[i] = pre
		at += pre[scenarios.Ages]
	}
	p.first[len(n.Centres)] = at
	return p
}

// Len is the number of citizens of the nation.
func (p *Population) Len() uint32 { return p.first[len(p.first)-1] }

// Range returns the citizens of a centre: first <= id < end.
func (p *Population) Range(centre int) (first, end uint32) { return p.first[centre], p.first[centre+1] }

// AgeRange returns the citizens of one age at a centre.
func (p *Population) AgeRange(centre, age int) (first, end uint32) {
	i := age - scenarios.FirstAge
	return p.first[centre] + p.prefix[centre][i], p.first[centre] + p.prefix[centre][i+1]
}

// Home returns the centre and the age of a citizen.
func (p *Population) Home(id uint32) (centre, age int) {
	if id >= p.Len() {
		panic(fmt.Sprintf("population: there is no citizen %d (the nation has %d)", id, p.Len()))
	}
	centre = sort.Search(len(p.first), func(i int) bool { return p.first[i] > id }) - 1
	within := id - p.first[centre]
	pre := p.prefix[centre]
	return centre, scenarios.FirstAge + sort.Search(len(pre), func(i int) bool { return pre[i] > within }) - 1
}

// PhoneKind is what phone a citizen has.
type PhoneKind uint8

// The kinds of phone.
const (
	NoPhone PhoneKind = iota
	PhoneWithoutNFC
	PhoneWithNFC
)

// Traits are what is drawn once for each citizen.
type Traits struct {
	Male  bool
	Phone PhoneKind
	Habit float64 // standard normal: how often they have to show who they are
}

// Drawer draws traits; it holds what the draws depend on.
type Drawer struct {
	Source rng.Source
	Nation *scenarios.Nation
	Owned  [scenarios.Ages]float64 // share with a smartphone, by age
	NFC    float64                 // share of the smartphones
}

// NewDrawer prepares the draws of a scenario.
func NewDrawer(src rng.Source, n *scenarios.Nation, ph *scenarios.Phones) *Drawer {
	d := &Drawer{Source: src, Nation: n, NFC: float64(ph.NFC)}
	for i := range d.Owned {
		d.Owned[i] = ph.Owned.At(scenarios.FirstAge + i)
	}
	return d
}

// Traits draws those of a citizen of a municipality and age.
func (d *Drawer) Traits(id uint32, municipality, age int) Traits {
	w := d.Source.Draw(id, ForSex, 0)
	t := Traits{Male: rng.Below(w[0], d.Nation.MaleShare(municipality, age)), Habit: rng.Normal(w[3])}
	if rng.Below(w[1], d.Owned[age-scenarios.FirstAge]) {
		t.Phone = PhoneWithoutNFC
		if rng.Below(w[2], d.NFC) {
			t.Phone = PhoneWithNFC
		}
	}
	return t
}
