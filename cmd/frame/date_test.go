package frame_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"p11bridge/cmd/messages"
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

// TestOnDay reads the day on which something happens on every day of a year, in every language.
func TestOnDay(t *testing.T) {
	patterns := map[string]*regexp.Regexp{
		"en": regexp.MustCompile(`^on \d{1,2} [A-Z][a-z]+ 2028$`),
		"es": regexp.MustCompile(`^el \d{1,2} de [a-z]+ de 2028$`),
		"ca": regexp.MustCompile(`^(el ([2-9]|10|1[2-9]|[23]\d)|l'(1|11)) (d'[ao]|de [^aeo])\p{L}+ de 2028$`),
		"fr": regexp.MustCompile(`^le (1er|[2-9]|[123]\d) \p{L}+ 2028$`),
	}
	for _, a := range appsOf(t) {
		for day := time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() == 2028; day = day.AddDate(0, 0, 1) {
			if got := a.OnDayOf(day.Format(time.RFC3339)); !patterns[a.Catalog.Language].MatchString(got) {
				t.Errorf("%s: %s", a.Catalog.Language, got)
			}
		}
	}
}

// daysIn are the words that stand before a day in a text, and what the languages want before each. Catalan has "del" and "de l'", so
// that no word may stand there that depends on the day.
var daysIn = map[string]struct{ end, day *regexp.Regexp }{
	"en": {regexp.MustCompile(`valid $`), regexp.MustCompile(`(^|of |on )$`)},
	"es": {regexp.MustCompile(`válid[oa] $`), regexp.MustCompile(`(^|del |el )$`)},
	"ca": {regexp.MustCompile(`vàlid[a]? $`), regexp.MustCompile(`(^|data:? )$`)},
	"fr": {regexp.MustCompile(`valide $`), regexp.MustCompile(`(^|du |le )$`)},
}

// onIn are the words that stand before the day on which something happens.
var onIn = map[string]*regexp.Regexp{
	"en": regexp.MustCompile(`expire[sd] $`), "es": regexp.MustCompile(`caduc(a|ó) $`), "ca": regexp.MustCompile(`caducar? $`), "fr": regexp.MustCompile(`expir[eé] $`),
}

// TestReceiptsReadRight looks at every text with a day in it: with what TestUntil reads on every day of a year, the whole sentence is
// right on each of them.
func TestReceiptsReadRight(t *testing.T) {
	marks := messages.Args{"Until": messages.Own("<until>"), "On": messages.Own("<on>"), "Created": messages.Own("<day>"), "Taken": messages.Own("<day>"), "Date": messages.Own("<day>"), "Count": messages.Number(2)}
	for _, a := range appsOf(t) {
		ends, days := 0, 0
		for _, id := range messages.IDs("") {
			text := a.Text(id, marks)
			if leading, _, is := strings.Cut(text, "<until>"); is {
				ends++
				if !daysIn[a.Catalog.Language].end.MatchString(leading) {
					t.Errorf("%s %s: %s", a.Catalog.Language, id, text)
				}
			}
			if leading, _, is := strings.Cut(text, "<on>"); is {
				if !onIn[a.Catalog.Language].MatchString(leading) {
					t.Errorf("%s %s: %s", a.Catalog.Language, id, text)
				}
			}
			if leading, _, is := strings.Cut(text, "<day>"); is {
				days++
				if !daysIn[a.Catalog.Language].day.MatchString(leading) {
					t.Errorf("%s %s: %s", a.Catalog.Language, id, text)
				}
			}
		}
		if ends < 7 || days < 4 {
			t.Errorf("%s: only %d ends of validity and %d days", a.Catalog.Language, ends, days)
		}
	}
}
