package messages_test

import (
	"regexp"
	"testing"

	"p11bridge/cmd/messages"
)

// avoided are words that a text of a language does not have, and what stands in their place: jargon, a second word for the same thing,
// what is wrong in the language, or what was said of a certificate that does nothing.
var avoided = map[string][]struct{ word, instead string }{
	"en": {
		{`\bin clear\b`, "unencrypted"}, {`\bproved\b`, "proven"}, {`certificate verif(ies|ied) the signature`, "verified with the certificate"},
		{`\bspoken here\b`, "available"}, {`directory that is there`, "no such directory"}, {`\bmay not leave\b`, "cannot leave"}, {`stand in the process list`, "be visible"},
	},
	"es": {
		{`\ben claro\b`, "sin cifrar"}, {`por omisión`, "por defecto"}, {`error estándar`, "salida de errores"}, {`dictamen`, "resultado"}, {`averiad`, "no funciona"},
		{`certificado( del archivo)? (verificó|ha verificado)`, "se comprobó con el certificado"}, {`válido hasta \{`, "válido {{.Until}}"}, {`\bfichero`, "archivo"}, {`autónoma`, "independiente"},
	},
	"ca": {
		{`\bfitxer`, "arxiu"}, {`\ben clar\b`, "sense xifrar"}, {`per omissió`, "per defecte"}, {`avariat`, "no funciona"}, {`final de la validesa`, "vàlid {{.Until}}"},
		{`certificat( de l'arxiu)? ha verificat`, "s'ha comprovat amb el certificat"}, {`\b(el|del|al|de) arxiu`, "l'arxiu"}, {`\bsigui`, "siga"}, {`\b[Cc]onsulteu (al|a l')`, "pregunteu"},
	},
	"fr": {
		{`\ben clair\b`, "non chiffré"}, {`(^|[^e]) PIN\b`, "code PIN"}, {`Il n’en reste rien`, "aucun fichier inachevé"}, {`\b[Dd]onnez (--|le|la|un (chemin|mot))`, "indiquez"},
		{`certificat( du fichier)? a vérifié`, "vérifiée avec le certificat"}, {`en panne"`, "ne fonctionne pas"}, {`valide jusqu’au \{`, "valide {{.Until}}"}, {`code code`, "code"},
		{`[^\s\x{00A0}\x{202F}][;:!?](\s|$)`, "a blank before it"},
	},
}

// prefixes are parts of names that stand before a colon.
var prefixes = regexp.MustCompile(`\b(sha256|dns|email|ip|uri|upn|pkcs11):`)

// TestWords reads every text of every language for words that it does not have.
func TestWords(t *testing.T) {
	for _, language := range messages.Languages() {
		for id, f := range catalogOf(t, language) {
			for _, text := range f {
				text = prefixes.ReplaceAllString(text, "")
				for _, row := range avoided[language] {
					if found := regexp.MustCompile(row.word).FindString(text); found != "" && !allowed(language, row.word, text) {
						t.Errorf("%s %s says %q; better: %s", language, id, found, row.instead)
					}
				}
			}
		}
	}
}

// allowed are the names of the specification that look like a word.
func allowed(language, word, text string) bool {
	return language == "fr" && word[0] == '(' && regexp.MustCompile(`(SO|codes|_)[ _]PIN|PIN-|pin-`).MatchString(text)
}
