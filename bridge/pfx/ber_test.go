package pfx

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"
)

func TestToDER(t *testing.T) {
	tests := []struct {
		name, ber, der string
		wasDER         bool
	}{
		{"der", "3003020103", "3003020103", true},
		{"long der", "0481 80" + strings.Repeat("00", 128), "0481 80" + strings.Repeat("00", 128), true},
		{"empty", "3000", "3000", true},
		{"indefinite", "3080 020103 0000", "3003020103", false},
		{"indefinite within indefinite", "3080 3080 0500 0000 0500 0000", "3006 3002 0500 0500", false},
		{"indefinite within definite", "3006 3080 0500 0000", "3004 3002 0500", false},
		{"long form of a short length", "3081 03 020103", "3003020103", false},
		{"length with leading zeros", "3084 00000003 020103", "3003020103", false},
		{"octet string in pieces", "2480 0401aa 0402bbcc 0000", "0403aabbcc", false},
		{"octet string in definite pieces", "2407 0401aa 0402bbcc", "0403aabbcc", false},
		{"octet string in pieces of pieces", "2480 2480 0401aa 0000 2403 0401bb 0000", "0402aabb", false},
		{"octet string in no piece", "2480 0000", "0400", false},
		{"BMP string in pieces", "3e80 1e020041 1e020042 0000", "1e0400410042", false},
		{"context tag is no string", "a080 0401aa 0401bb 0000", "a006 0401aa 0401bb", false},
		{"high tag number", "bf8a01 80 0500 0000", "bf8a01 02 0500", false},
		{"zero bytes within a string", "2480 04020000 0000", "04020000", false},
	}
	for _, test := range tests {
		der, wasDER, err := allDER(unhex(t, strings.ReplaceAll(test.ber, " ", "")), "it")
		must(t, err)
		if want := unhex(t, strings.ReplaceAll(test.der, " ", "")); !bytes.Equal(der, want) || wasDER != test.wasDER {
			t.Errorf("%s: %x, %v", test.name, der, wasDER)
		}
	}
}

func TestToDERRefuses(t *testing.T) {
	tests := []struct{ name, ber string }{
		{"nothing", ""},
		{"tag alone", "30"},
		{"high tag alone", "bf8a"},
		{"endless tag", "bfffffffffffffffff0100"},
		{"length alone", "3081"},
		{"length too long", "3089 000000000000000000"},
		{"length beyond all integers", "3088 ffffffffffffffff"},
		{"truncated", "3003 0201"},
		{"child beyond its parent", "3003 020203"},
		{"indefinite without an end", "3080 020103"},
		{"indefinite with half an end", "3080 020103 00"},
		{"end of contents out of place", "0000"},
		{"end of contents in a definite element", "3002 0000"},
		{"indefinite primitive", "0480 0000"},
		{"trailing data", "3000 00"},
		{"piece of another type", "2480 0201aa 0000"},
		{"piece with an indefinite primitive", "2480 0480 0000 0000"},
	}
	for _, test := range tests {
		_, _, err := allDER(unhex(t, strings.ReplaceAll(test.ber, " ", "")), "it")
		var broken *DamagedError
		if !errors.As(err, &broken) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestToDERBoundsItsDepth(t *testing.T) {
	for name, open := range map[string]string{"sequences": "\x30\x80", "pieces": "\x24\x80"} {
		inner := map[string]string{"sequences": "\x05\x00", "pieces": "\x04\x00"}[name]
		nested := func(depth int) []byte {
			return []byte(strings.Repeat(open, depth-1) + inner + strings.Repeat("\x00\x00", depth-1))
		}
		if _, _, err := allDER(nested(maxDepth), "it"); err != nil {
			t.Errorf("%s at the limit: %v", name, err)
		}
		for _, depth := range []int{maxDepth + 1, 1 << 20} {
			_, _, err := allDER(nested(depth), "it")
			var limit *LimitError
			if !errors.As(err, &limit) || limit.What != LimitDepth {
				t.Errorf("%s, %d deep: %v", name, depth, err)
			}
		}
	}
}

// The worst inputs known: many tiny elements, as deep as they may be, in a file as big as it may be. What takes more than
// linear time does not end before the test's deadline.
func TestToDERTakesLinearTimeAndMemory(t *testing.T) {
	deep := func(content string) []byte {
		around := maxDepth - 1
		room := maxFileSize - 4*around
		return []byte(strings.Repeat("\x30\x80", around) + strings.Repeat(content, room/len(content)) + strings.Repeat("\x00\x00", around))
	}
	for name, source := range map[string][]byte{
		"tiny elements":    deep("\x05\x00"),
		"tiny sequences":   []byte("\x30\x80" + strings.Repeat("\x30\x80\x00\x00", maxFileSize/4-1) + "\x00\x00"),
		"tiny pieces":      []byte("\x24\x80" + strings.Repeat("\x04\x01\x00", maxFileSize/3-2) + "\x00\x00"),
		"one long content": append([]byte("\x30\x80\x04\x83\xff\xff\xf0"), append(make([]byte, 0xfffff0), 0, 0)...),
	} {
		var previous, after runtime.MemStats
		runtime.ReadMemStats(&previous)
		_, _, err := allDER(source, "it")
		runtime.ReadMemStats(&after)
		must(t, err)
		if allocated := after.TotalAlloc - previous.TotalAlloc; allocated > 2*uint64(len(source)) {
			t.Errorf("%s: allocated %d bytes for %d", name, allocated, len(source))
		}
	}
}

func TestToDERNeverOutgrowsItsBuffer(t *testing.T) {
	content := append([]byte{0x04, 0x83, 0x01, 0x00, 0x00}, make([]byte, 0x10000)...)
	source := append([]byte(strings.Repeat("\x30\x80", maxDepth-1)), bytes.Repeat(content, 255)...)
	source = append(source, strings.Repeat("\x00\x00", maxDepth-1)...)
	der, _, err := allDER(source, "it")
	must(t, err)
	if room := len(source) + 2*maxDepth*(len(source)/0x10000+1); len(der) > room {
		t.Errorf("%d bytes in a buffer for %d", len(der), room)
	}
}

// allDER is toDER for an element that fills source.
func allDER(source []byte, where string) ([]byte, bool, error) {
	der, end, wasDER, err := toDER(source, where)
	if err == nil && end != len(source) {
		return nil, false, damaged(where + ": trailing data")
	}
	return der, wasDER, err
}
