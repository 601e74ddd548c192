package chaos

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// What is left when operations, residents or what comes between are taken out is
// a campaign again, on which the real service is right.
func TestAnyPartOfACampaignIsACampaign(t *testing.T) {
	p := place(t)
	whole := Draw(p, 11, 200)
	for n := range uint64(6) {
		r := rand.New(rand.NewPCG(n, 1))
		c := whole
		c.Operations = nil
		for _, o := range whole.Operations {
			if r.IntN(3) == 0 {
				continue
			}
			if o.Cut != nil && r.IntN(2) == 0 {
				cut := *o.Cut
				cut.Then = slices.DeleteFunc(slices.Clone(cut.Then), func(Op) bool { return r.IntN(2) == 0 })
				o.Cut = &cut
			}
			c.Operations = append(c.Operations, o)
		}
		c.Residents = slices.DeleteFunc(slices.Clone(whole.Residents), func(Resident) bool { return r.IntN(4) == 0 })
		o, err := Run(t.Context(), p, c)
		if err != nil {
			t.Fatal(err)
		}
		if got := violated(o.Verdict); got != nil {
			t.Errorf("part %d: %v: %s", n, got, o.Verdict.Findings[0].Sentence)
		}
	}
}

// A campaign that shows nothing cannot be shrunk, and says so.
func TestWhatIsRightDoesNotShrink(t *testing.T) {
	p := place(t)
	c := Draw(p, 3, 30)
	small, seen, runs, err := Shrink(t.Context(), p, c, "S3")
	if err != nil || seen != nil || runs != 1 || len(small.Operations) != len(c.Operations) {
		t.Errorf("%d operations, outcome %v, %d runs: %v", len(small.Operations), seen, runs, err)
	}
}
