package messages

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed *.json windows/*.json
var files embed.FS

// onWindows is the folder of the texts that stand, on Windows, in the place of those of the same id: their commands and their
// names of files are Windows' own.
const onWindows = "windows"

// sideBySide is the catalog file whose texts have every language beside each other: so a new flag is one place, and a translator sees what
// the others say.
const sideBySide = "flags.json"

// Files lists the embedded catalog files.
func Files() []string {
	names, err := fs.Glob(files, "*.json")
	if err != nil { // only a malformed pattern does that
		return nil
	}
	return names
}

// Read gives one catalog file as it stands.
func Read(name string) ([]byte, error) { return files.ReadFile(name) }

// Each gives every text of a catalog file, with its language.
func Each(name string, text func(language, id string, raw json.RawMessage)) error {
	return each(name, Languages(), text)
}

// each gives the texts of a catalog file that are of one of the languages.
func each(name string, languages []string, text func(language, id string, raw json.RawMessage)) error {
	if name != sideBySide && !slices.Contains(languages, languageOfFile(name)) {
		return nil
	}
	raw, err := Read(name)
	if err != nil {
		return fmt.Errorf("catalog %s: %w", name, err)
	}
	language := languageOfFile(name)
	var faults []error
	whole := scan(raw, 0, func(id string, value json.RawMessage) {
		if name != sideBySide {
			text(language, id, value)
			return
		}
		err := scan(value, 1, func(language string, value json.RawMessage) {
			if slices.Contains(languages, language) {
				text(language, id, value)
			}
		})
		if err != nil {
			faults = append(faults, fmt.Errorf("text %s: %w", id, err))
		}
	})
	if err := errors.Join(append(faults, whole)...); err != nil {
		return fmt.Errorf("catalog %s: %w", name, err)
	}
	return nil
}

// languageOfFile is the language of SUBJECT.LANG.json.
func languageOfFile(name string) string {
	rest := strings.TrimSuffix(name, ".json")
	return rest[strings.LastIndexByte(rest, '.')+1:]
}

// IDs lists the ids of the texts that begin with a prefix, in no order that means anything.
func IDs(prefix string) []string {
	var ids []string
	for _, name := range Files() {
		err := Each(name, func(language, id string, _ json.RawMessage) {
			if language == Languages()[0] && strings.HasPrefix(id, prefix) {
				ids = append(ids, id)
			}
		})
		if err != nil { // which the tests rule out
			continue
		}
	}
	return ids
}
