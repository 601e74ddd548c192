package mdoc

import (
	"reflect"
	"testing"
)

func TestAPresentationShowsOnlyWhatWasChosen(t *testing.T) {
	w := newWorld(t)
	p, err := Verify(w.present(t, "age_over_19", "family_name"), w.transcript, w.anchors, w.at)
	if err != nil {
		t.Fatal(err)
	}
	want := []Element{{"family_name", "김"}, {"age_over_19", true}}
	if !reflect.DeepEqual(p.Elements, want) {
		t.Errorf("elements %v, want %v", p.Elements, want)
	}
	if p.Status == nil || *p.Status != (StatusRef{"https://rollcall.example/status/1", 4711}) {
		t.Errorf("status %v", p.Status)
	}
	if !p.DeviceKey.Equal(&w.phone.PublicKey) || p.Validity != cardFor3 || p.DocType != DocType {
		t.Errorf("presented %+v", p)
	}
}
