package supervise

import (
	"slices"
	"strings"
	"testing"
)

// TestChanges has a child add, destroy and go on, and looks after each step what a parent would find if the child died there.
func TestChanges(t *testing.T) {
	page := &Page{memory: make([]byte, pageSize)}
	observer := &Observer{Page: page}
	want := func(added, destroyed []string) {
		t.Helper()
		if got := page.changes(); !slices.Equal(got.Added, added) || !slices.Equal(got.Destroyed, destroyed) {
			t.Errorf("%+v instead of %q and %q", got, added, destroyed)
		}
	}
	want(nil, nil)
	observer.Adding([]string{"one"})
	want([]string{"one"}, nil)
	observer.Adding([]string{"one", "two"})
	want([]string{"one", "two"}, nil)
	observer.Added([]string{"one", "two"})
	want([]string{"one", "two"}, nil)
	observer.Adding(nil)
	want([]string{"one", "two"}, nil)
	observer.Adding([]string{"three"})
	want([]string{"one", "two", "three"}, nil)
	observer.Adding(nil) // it was taken away again
	want([]string{"one", "two"}, nil)
	observer.Destroying("old")
	want([]string{"one", "two"}, []string{"old"})
	observer.Adding([]string{"four"})
	page.ForgetChanges()
	want([]string{"four"}, nil)
	observer.Adding(nil)
	observer.Added([]string{"one", "two"})
	observer.Destroying("old")
	again := &Page{memory: make([]byte, pageSize)}
	again.setLookAgain(&LookAgain{Changes: page.changes()})
	if look := again.LookAgain(); look == nil || !slices.Equal(look.Added, []string{"one", "two"}) || !slices.Equal(look.Destroyed, []string{"old"}) {
		t.Errorf("a child is to look for %v", look)
	}
}

// TestNotesInPart adds more than there is room for: what is noted stays whole, and that it is not all is known.
func TestNotesInPart(t *testing.T) {
	page := &Page{memory: make([]byte, pageSize)}
	observer := &Observer{Page: page}
	one, most := strings.Repeat("x", 99), (changesSize-8)/100
	for range most {
		observer.Destroying(one)
	}
	if got := page.changes(); len(got.Destroyed) != most || got.InPart {
		t.Errorf("%d names, in part: %v", len(got.Destroyed), got.InPart)
	}
	observer.Destroying(one)
	if got := page.changes(); len(got.Destroyed) != most || !got.InPart || got.Destroyed[most-1] != one {
		t.Errorf("%d names, in part: %v", len(got.Destroyed), got.InPart)
	}
	page.ForgetChanges()
	if got := page.changes(); !got.None() || got.InPart {
		t.Errorf("%v", got)
	}
}
