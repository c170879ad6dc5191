package token

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestAttributes: packed answers are what a map of them would be, whatever is set, replaced and taken away, and a copy keeps its own.
func TestAttributes(t *testing.T) {
	attribute := rapid.Custom(func(t *rapid.T) Attribute {
		return Attribute(rapid.OneOf(rapid.Uint64Range(0, 3), rapid.Uint64()).Draw(t, "attribute"))
	})
	rapid.Check(t, func(t *rapid.T) {
		want, got := map[Attribute]Answer{}, Attributes{}
		earlier, copied := map[Attribute]Answer{}, Attributes{}
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			a := attribute.Draw(t, "attribute")
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				delete(want, a)
				got.Delete(a)
			case 1:
				earlier, copied = maps.Clone(want), got
			case 2:
				want[a] = Answer{Code: CKR(rapid.Uint64Min(1).Draw(t, "code"))}
				got.Set(a, want[a])
			default:
				want[a] = Answer{Value: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "value")}
				got.Set(a, want[a])
			}
			checkAttributes(t, got, want)
			checkAttributes(t, copied, earlier)
			checkAttributes(t, AttributesOf(want), want)
		}
	})
}

func checkAttributes(t *rapid.T, got Attributes, want map[Attribute]Answer) {
	t.Helper()
	var order []Attribute
	for a, answer := range got.All() {
		order = append(order, a)
		if wanted, there := want[a]; !there || !sameAnswer(answer, wanted) {
			t.Fatalf("%s: %v and not %v", a, answer, wanted)
		}
	}
	if !slices.Equal(order, slices.Sorted(maps.Keys(want))) || got.Len() != len(want) || cap(got.packed) > len(got.packed)+len(got.packed)/4+64 {
		t.Fatalf("%v with %d attributes in %d of %d octets, and not %v", order, got.Len(), len(got.packed), cap(got.packed), want)
	}
	for a, wanted := range want {
		answer, there := got.Answer(a)
		if value := append(answer.Value, 1); !there || !sameAnswer(answer, wanted) || len(value) == 0 { // what is appended to a value changes nothing
			t.Fatalf("%s: %v and not %v", a, answer, wanted)
		}
	}
}

func sameAnswer(x, y Answer) bool { return x.Code == y.Code && bytes.Equal(x.Value, y.Value) }
