package view

import "testing"

// TestFileName: the name for one file is made of a label as those of export --all are, and is no device of Windows.
func TestFileName(t *testing.T) {
	for _, row := range []struct{ label, id, want string }{
		{"alice", "01", "alice"},
		{"Òscar Núñez (firma)", "01", "Òscar-Núñez-firma"},
		{"../x", "01", "x"},
		{"", "0a", "key-0a"},
		{"...", "", "key"},
		{"con", "01", "key-con"},
		{"COM7", "01", "key-COM7"},
		{"com", "01", "com"},
		{"lpt10", "01", "lpt10"},
		{"con.txt", "01", "con-txt"},
	} {
		if got := FileName(row.label, row.id); got != row.want {
			t.Errorf("%q becomes %q, not %q", row.label, got, row.want)
		}
	}
}
