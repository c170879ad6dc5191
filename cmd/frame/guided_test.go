package frame_test

import (
	"regexp"
	"strings"
	"testing"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
)

// TestGuidedTextsNameNoFlag: what is for the guided mode alone speaks of questions, in every language. So do the steps of every reason, but
// for one that has no others.
func TestGuidedTextsNameNoFlag(t *testing.T) {
	flag := regexp.MustCompile(`(^|[^\w-])--[a-z]`)
	command := regexp.MustCompile("[`']p11bridge [^`']*[`']")
	for _, a := range appsOf(t) {
		a.BeGuided()
		if text := a.Text("error.generate.remedy", messages.Args{}); flag.MatchString(text) {
			t.Errorf("%s: the general text is used: %s", a.Catalog.Language, text)
		}
		if text := a.Text("error.interrupted", nil); text == "error.interrupted" {
			t.Errorf("%s: a text without one for the guide is missing", a.Catalog.Language)
		}
		left := 0
		for _, entry := range verdict.Table() {
			steps := a.Steps(verdict.Reason{Code: entry.Code})
			left += len(steps)
			for _, step := range steps {
				if flag.MatchString(command.ReplaceAllString(step, "")) && len(steps) > 1 {
					t.Errorf("%s %s: %s", a.Catalog.Language, entry.Code, step)
				}
			}
		}
		if left < 100 {
			t.Errorf("%s: %d steps are left", a.Catalog.Language, left)
		}
	}
}

// TestGuidedBrowserWords: the words for a browser's database go before the general ones in the guided mode, too.
func TestGuidedBrowserWords(t *testing.T) {
	for _, a := range appsOf(t) {
		a.SpeakOf(true)
		general := a.Text("error.object-hidden.remedy", nil)
		a.BeGuided()
		guided := a.Text("error.object-hidden.remedy", nil)
		if guided == general || strings.Contains(guided, "PIN") {
			t.Errorf("%s: %s", a.Catalog.Language, guided)
		}
		if got := a.Text("guide.exportable.yes", nil); strings.Contains(got, "PIN") {
			t.Errorf("%s: %s", a.Catalog.Language, got)
		}
	}
}
