package frame_test

import (
	"regexp"
	"testing"
	"time"
)

// TestUntil reads the end of a validity on every day of a year, in every language.
func TestUntil(t *testing.T) {
	patterns := map[string]*regexp.Regexp{
		"en": regexp.MustCompile(`^until \d{1,2} [A-Z][a-z]+ 2028$`),
		"es": regexp.MustCompile(`^hasta el \d{1,2} de [a-z]+ de 2028$`),
		"ca": regexp.MustCompile(`^fins (al ([2-9]|10|1[2-9]|[23]\d)|a l'(1|11)) (d'[ao]|de [^aeo])\p{L}+ de 2028$`),
		"fr": regexp.MustCompile(`^jusqu’au (1er|[2-9]|[123]\d) \p{L}+ 2028$`),
	}
	for _, a := range appsOf(t) {
		for day := time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() == 2028; day = day.AddDate(0, 0, 1) {
			if got := a.Until(day); !patterns[a.Catalog.Language].MatchString(got) {
				t.Errorf("%s: %s", a.Catalog.Language, got)
			}
		}
	}
}
