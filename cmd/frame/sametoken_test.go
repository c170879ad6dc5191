package frame

import (
	"testing"

	"p11bridge/token"
	"p11bridge/token/foreign"
)

func TestSameToken(t *testing.T) {
	shown := func(module, label, serial string) shownSlot {
		return shownSlot{token.Slot{Token: &token.Info{Label: foreign.Text(label), Serial: foreign.Text(serial), Manufacturer: "m", Model: "x"}}, token.ModuleInfo{Path: module}, ""}
	}
	told := func(module, initString string) shownSlot {
		slot := shown(module, "t", "0")
		slot.initString = initString
		return slot
	}
	for _, row := range []struct {
		name       string
		one, other shownSlot
		want       bool
	}{
		{"through two modules", shown("a.so", "t", "1"), shown("b.so", "t", "1"), true},
		{"two tokens of one module", shown("a.so", "t", "1"), shown("a.so", "t", "1"), false},
		{"two serial numbers", shown("a.so", "t", "1"), shown("b.so", "t", "2"), false},
		{"two labels", shown("a.so", "t", "1"), shown("b.so", "u", "1"), false},
		{"two databases", told("a.so", "configdir='sql:/a'"), told("b.so", "configdir='sql:/b'"), false},
		{"one database through two modules", told("a.so", "configdir='sql:/a'"), told("b.so", "configdir='sql:/a'"), true},
		{"a database and what shows every module's", told("a.so", "configdir='sql:/a'"), told("b.so", ""), true},
		{"no serial number", shown("a.so", "t", ""), shown("b.so", "t", ""), false},
	} {
		if got := sameToken(row.one, row.other); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}
