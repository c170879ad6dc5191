package verdict

import (
	"testing"
)

func TestVerdictIsFinal(t *testing.T) {
	for _, row := range []struct {
		name string
		v    Verdict
		want bool
	}{
		{"exportable", Verdict{Exportable: true, Reasons: []Reason{Because(ExportableByWrap)}}, false},
		{"no mechanism is listed", Verdict{Reasons: []Reason{Because(NoWrappingMechanism), Because(CAKey)}}, false},
		{"not extractable", Verdict{Reasons: []Reason{Because(KeyNotExtractable)}}, true},
		{"something weighs more than the mechanism", Verdict{Reasons: []Reason{Because(CertificateUnreadable), Because(NoWrappingMechanism)}}, true},
		{"no reason", Verdict{}, true},
	} {
		if got := row.v.Final(); got != row.want {
			t.Errorf("%s: final is %v", row.name, got)
		}
	}
}

func TestRefusedKeepsEverythingButTheWayOut(t *testing.T) {
	v := Verdict{Exportable: true, Method: MethodWrap, Mechanism: "CKM_X", Reasons: []Reason{
		Because(ExportableByWrap), Because(WrapRefused, Fact{"model", "m"}), Because(CAKey, Fact{"is_ca", true}),
	}}
	previous := sentence(v)
	got := sentence(v.Refuse(Because(WrapRefused, Fact{"answers", []string{"no"}})))
	if want := `no: wrap-refused {"answers":["no"],"model":"m"}; ca-key {"is_ca":true}`; got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
	if sentence(v) != previous {
		t.Error("the first verdict was changed")
	}
}
