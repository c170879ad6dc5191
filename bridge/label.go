package bridge

import (
	"strings"
	"unicode/utf8"

	"p11bridge/token/pki"
)

// LabelOf is the CKA_LABEL of what is named after its certificate: the common name of the subject, or the whole subject where that has none.
func LabelOf(certificate *pki.Certificate) string { return labelFor(certificate.RawSubject) }

// labelFor is LabelOf for a subject in DER.
func labelFor(subject []byte) string {
	if name := shortLabel(pki.CommonName(subject)); name != "" {
		return name
	}
	return shortLabel(pki.NameText(subject))
}

// shortLabel makes a text a CKA_LABEL: without control characters, and not longer than tokens take.
func shortLabel(text string) string {
	text = plainName(strings.ToValidUTF8(strings.TrimSpace(text), string(utf8.RuneError)))
	for len(text) > maxLabel {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
