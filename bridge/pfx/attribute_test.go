package pfx

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// rawAttribute is a PKCS12Attribute with its values in hex.
type rawAttribute struct{ oid, values string }

func readRaw(t *testing.T, raw []rawAttribute) (attributes, error) {
	t.Helper()
	var b cryptobyte.Builder
	for _, one := range raw {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addOID(b, one.oid)
			b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(unhex(t, one.values)) })
		})
	}
	der, err := b.Bytes()
	must(t, err)
	return readAttributes(der, new(bagCount))
}

func TestAttributesAreReadOrKept(t *testing.T) {
	tests := []struct {
		name string
		raw  []rawAttribute
		want attributes
		kept []int // those of raw that must stand among the others
	}{
		{"none", nil, attributes{}, nil},
		{"name", []rawAttribute{{oidFriendlyName, "1e0400610062"}}, attributes{friendlyName: "ab"}, nil},
		{"name beyond the BMP", []rawAttribute{{oidFriendlyName, "1e04d83ddd11"}}, attributes{friendlyName: "🔑"}, nil},
		{"id", []rawAttribute{{oidLocalKeyID, "040101"}}, attributes{localKeyID: []byte{1}}, nil},
		{"both", []rawAttribute{{oidLocalKeyID, "040101"}, {oidFriendlyName, "1e020061"}}, attributes{friendlyName: "a", localKeyID: []byte{1}}, nil},
		{"unknown", []rawAttribute{{"1.3.6.1.4.1.311.17.1", "1e020061"}}, attributes{}, []int{0}},
		{"unknown with arcs beyond 64 bits", []rawAttribute{{"2.25.340282366920938463463374607431768211455", "0500"}}, attributes{}, []int{0}},
		{"unknown without values", []rawAttribute{{"1.2.3", ""}}, attributes{}, []int{0}},
		{"second name", []rawAttribute{{oidFriendlyName, "1e020061"}, {oidFriendlyName, "1e020062"}}, attributes{friendlyName: "a"}, []int{1}},
		{"second id", []rawAttribute{{oidLocalKeyID, "040101"}, {oidLocalKeyID, "040102"}}, attributes{localKeyID: []byte{1}}, []int{1}},
		{"name of odd length", []rawAttribute{{oidFriendlyName, "1e03006100"}}, attributes{}, []int{0}},
		{"name with half a surrogate pair", []rawAttribute{{oidFriendlyName, "1e02d83d"}}, attributes{}, []int{0}},
		{"name in UTF-8", []rawAttribute{{oidFriendlyName, "0c0161"}}, attributes{}, []int{0}},
		{"two values", []rawAttribute{{oidFriendlyName, "1e0200611e020062"}}, attributes{}, []int{0}},
		{"empty name", []rawAttribute{{oidFriendlyName, "1e00"}}, attributes{}, []int{0}},
		{"empty id", []rawAttribute{{oidLocalKeyID, "0400"}}, attributes{}, []int{0}},
		{"id of another type", []rawAttribute{{oidLocalKeyID, "020101"}}, attributes{}, []int{0}},
	}
	for _, test := range tests {
		for _, i := range test.kept {
			test.want.others = append(test.want.others, Attribute{test.raw[i].oid, unhex(t, test.raw[i].values)})
		}
		got, err := readRaw(t, test.raw)
		must(t, err)
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(attributes{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
		var b cryptobyte.Builder
		addAttributes(&b, got)
		der, err := b.Bytes()
		must(t, err)
		set := cryptobyte.String(der)
		if len(test.raw) > 0 && !set.ReadASN1(&set, asn1.SET) {
			t.Fatalf("%s: no set", test.name)
		}
		again, err := readAttributes(set, new(bagCount))
		must(t, err)
		less := cmpopts.SortSlices(func(a, b Attribute) bool { return a.OID+string(a.Values) < b.OID+string(b.Values) })
		if diff := cmp.Diff(got, again, cmp.AllowUnexported(attributes{}), cmpopts.EquateEmpty(), less); diff != "" {
			t.Errorf("%s, written: %s", test.name, diff)
		}
	}
}

func TestDamagedAttributes(t *testing.T) {
	for _, set := range []string{"05", "0500", "3000", "300406003100", "3003060101", "30053100060101", "300706010131000500"} {
		if _, err := readAttributes(unhex(t, set), new(bagCount)); err == nil {
			t.Errorf("%s was accepted", set)
		}
	}
}
