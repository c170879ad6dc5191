package view

import "strings"

// FileName makes a file's name, without ending, of an object's label: letters, digits, "-" and "_" only. Where nothing is left
// of the label it has the CKA_ID.
func FileName(label, id string) string {
	const most = 40
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, label)
	name = strings.Trim(name, "-")
	if len(name) > most {
		name = name[:most]
	}
	if name == "" {
		name = "key-" + id
	}
	return name
}
