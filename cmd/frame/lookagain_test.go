package frame

import (
	"slices"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/token"
)

// TestAfterLook has a worker die between two calls, when it had changed the token and told nothing. That nothing was left behind is said only
// where that is so.
func TestAfterLook(t *testing.T) {
	const added, destroyed = "pkcs11:token=test;object=new;type=private", "pkcs11:token=test;object=old;type=private"
	here := wantedObject(added)
	for _, row := range []struct {
		name     string
		changes  supervise.Changes
		found    foundAgain
		nothing  bool
		says     []string
		leftOpen supervise.Changes // for who tells of the failure
	}{
		{"nothing was done", supervise.Changes{Added: []string{added}}, foundAgain{}, true, []string{"nothing of what was being put there is left"}, supervise.Changes{}},
		{"an object is there", supervise.Changes{Added: []string{added}}, foundAgain{Objects: []*token.Object{here}}, false, []string{"It is still there:", "object=new"}, supervise.Changes{}},
		{"it may be there", supervise.Changes{Added: []string{added}}, foundAgain{Hidden: true}, false, []string{"could not be found out", "object=new", "without a login"}, supervise.Changes{}},
		{"a key is gone", supervise.Changes{Destroyed: []string{destroyed}}, foundAgain{}, false, []string{"These keys were removed from the token:\n  pkcs11:token=test;object=old"}, supervise.Changes{}},
		{"a key is there", supervise.Changes{Destroyed: []string{destroyed}}, foundAgain{Kept: []string{destroyed}}, true, []string{"These keys are still on the token:\n  pkcs11:token=test;object=old"}, supervise.Changes{}},
		{"more keys are gone than could be noted", supervise.Changes{Destroyed: []string{destroyed}, InPart: true}, foundAgain{}, false, []string{"These keys were removed", "Not everything is named here"}, supervise.Changes{}},
		{"a key may be gone", supervise.Changes{Destroyed: []string{destroyed}}, foundAgain{Hidden: true}, false, []string{"Whether these keys were removed", "object=old", "without a login"}, supervise.Changes{Destroyed: []string{destroyed}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			catalog, err := messages.Load("en")
			if err != nil {
				t.Fatal(err)
			}
			died := &supervise.ModuleFailure{Cause: supervise.Crashed, Signal: "SIGKILL", Changes: row.changes}
			row.found.Token = &token.Info{Label: "test"}
			a := &App{Catalog: catalog}
			f := a.Describe(afterLook(died, died, &row.found))
			text := f.Text(a) + "\n" + f.More
			if said := strings.Contains(text, "Nothing was left behind"); said != row.nothing {
				t.Errorf("that nothing was left behind is said: %v", said)
			}
			for _, words := range row.says {
				if !strings.Contains(text, words) {
					t.Errorf("%q is not said", words)
				}
			}
			if !slices.Equal(died.Added, row.leftOpen.Added) || !slices.Equal(died.Destroyed, row.leftOpen.Destroyed) {
				t.Errorf("left open: %+v", died.Changes)
			}
			if t.Failed() {
				t.Log(text)
			}
		})
	}
}
