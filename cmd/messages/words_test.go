package messages_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
)

// avoided are words that a text of a language does not have, and what stands in their place: jargon, a second word for the same thing,
// what is wrong in the language, or what was said of a certificate that does nothing.
var avoided = map[string][]struct{ word, instead string }{
	"en": {
		{`\bin clear\b`, "unencrypted"}, {`\bproved\b`, "proven"}, {`certificate verif(ies|ied) the signature`, "verified with the certificate"},
		{`\bspoken here\b`, "available"}, {`directory that is there`, "no such directory"}, {`\bmay (not |never )?leave\b`, "can leave, cannot leave"}, {`stand in the process list`, "be visible"},
		{`\bstands? (beside|behind|under|at|in (its|this|that))\b`, "is"}, {`\bwants (the|its) PIN`, "asks for the PIN"}, {`\b(it|this|Path\}\}|Given\}\}) is no [a-z]`, "is not a"},
		{`(were|was) not heard of|\bend soon\b`, "sent no news, expire soon"}, {`certificate (in the file )?(does not|must) verify`, "the signature fits the certificate"}, {`(contents|its) (are|were) others`, "have changed"},
		{`may (do and )?suffer|rely on its being|given whole|\bis taken\b|Tokens that are there|replace a file that is there`, "plain English"},
		{`\b(new|old|newest) readers\b|[Rr]eaders? (not known|that)`, "programs: a reader is what a card is put into"},
	},
	"es": {
		{`\ben claro\b`, "sin cifrar"}, {`por omisión`, "por defecto"}, {`error estándar`, "salida de errores"}, {`dictamen`, "resultado"}, {`averiad`, "no funciona"},
		{`certificado( del archivo)? (verificó|ha verificado)`, "se comprobó con el certificado"}, {`válido hasta \{`, "válido {{.Until}}"}, {`\bfichero`, "archivo"}, {`\bcertificación raíz`, "certificado raíz"}, {`autónoma`, "independiente"},
		{`\b([Ll]a|[Uu]na|esta|misma) orden\b|órdenes`, "comando"}, {`ordenador|máquina`, "equipo"}, {`mitad pública`, "parte pública"}, {`dict[aá]men`, "resultado"}, {`\bficha\b`, "registro"},
		{`certificado( del archivo)? (debe |no )?verifica`, "se comprueba con el certificado"}, {`[Ll]os datos (nombran|dan|la nombran|contienen)|las pruebas`, "lo observado"}, {`\bse nombra\b`, "se indica"},
		{`fue terminad`, "se le ha puesto fin"}, {`quiere el PIN`, "pide el PIN"}, {`«`, "quotation marks as everywhere"}, {`env:NOMBRE|file:RUTA`, "env:NAME, file:PATH"},
		{`veredicto`, "resultado"}, {`\b([Ee]l|[Uu]n|[Dd]el|[Aa]l) URI\b`, "la URI"}, {`evidencia`, "lo observado"}, {`\bemisor(es)?\b`, "entidad emisora"}, {`autoridad de certificación`, "entidad de certificación"}, {`\b(dar|dé) --`, "indicar"},
		{`([Nn]ada|[Nn]ingún token) se llama|"; se toma\b`, "con el nombre, se usa"}, {`\b(firmó|respondió|falló|indicó|mostró|aceptó|rechazó|probó|intentó|pidió|puso fin)([^\p{L}]|$)|\b[Ss]e cargó`, "what has just happened: ha firmado"},
		{`\b[yY] (i|hi[^e])\p{L}`, "e"}, {`\b[oO] (o|ho[^s])\p{L}`, "u"}, {`lectores (muy|más|antiguos|no |que |y )`, "programas: a lector is what a card is put into"}, {`medio de almacenamiento|otro medio\b`, "soporte"},
		{`([Pp]ara|servicio de|al|necesita) (el )?soporte([,.]| del fabricante| y )`, "soporte técnico: a soporte is what a file is written on"}, {`intérprete de comandos`, "shell"}, {`autoridad raíz`, "entidad raíz"}, {`\borigen de la contraseña|nombre o un origen`, "fuente"},
		{`que \p{L}+e el certificado (y|o) solicite`, "who requests is open: pida la renovación, o solicite"}, {`'p11bridge' solo\b`, "sin nada más"}, {`[Ss]i (debería|tendría)`, "si tiene que haber"},
	},
	"ca": {
		{`\bfitxer`, "arxiu"}, {`\ben clar\b`, "sense xifrar"}, {`per omissió`, "per defecte"}, {`avariat`, "no funciona"}, {`final de la validesa`, "vàlid {{.Until}}"},
		{`certificat( de l'arxiu)? ha verificat`, "s'ha comprovat amb el certificat"}, {`\b(el|del|al|de) arxiu`, "l'arxiu"}, {`\bsigui`, "siga"}, {`\beixi(r|da)\b`, "sortir"}, {`\b[Ff]irm(a|ar|at|e)\b`, "signar"}, {`malm(és|esa|ès)\b`, "danyat"}, {`\b[Dd]eseu\b`, "guardeu"}, {`\b[Cc]onsulteu (al|a l')`, "pregunteu"},
		{`\b(\p{L}+gui|hagi|torni|treballi|lliuri|distingeixi|designi|acabi|falti|necessiti|comprovi|pregunti|segelli|rebi)n?\b|\bque (s'hi |l')?obrin?\b|\b(ting|hagu)ués`, "the subjunctive in -e, -a: tinga, òbriga"}, {`\bsev(a|es)\b`, "seua"}, {`\b[Aa]quí([^\p{L}]|$)|\b[Aa]llà([^\p{L}]|$)`, "ací, allí"}, {`\bl'sortida`, "la sortida"},
		{`\bix\b|\beixi[td]`, "surt, sortit"}, {`\bper (no )?[a-z·]+(ar|er|ir|ure|[td]re)(['-]\S+)?\b`, "per a"}, {`\b(fer|feu|fa|fet) servir`, "usar"}, {`refus`, "rebutjar"}, {`\bdarrera?\b`, "últim"}, {`dict[aà]m`, "resultat"},
		{`autònoma`, "independent"}, {`error estàndard`, "sortida d'errors"}, {`\bdes(a|ar|en)\b`, "guardar"}, {`\b[Cc]er(ca|queu)\b`, "buscar"}, {`s'anomena (dues|sense)`, "s'indica"}, {`meitat pública`, "part pública"},
		{`\bfitxa`, "registre"}, {`màquina|\bequip\b`, "ordinador"}, {`les proves\b|Les dades (anomenen|donen|l'anomenen|contenen)`, "les dades observades"}, {`vol el PIN`, "demana el PIN"}, {`\bllegeix`, "llig"}, {`\b[Ee]st(e|a|os|es)\b`, "aquest"},
		{`\btreure\b`, "traure"}, {`env:NOM\b|file:RUTA`, "env:NAME, file:PATH"}, {`certificat( de l'arxiu)? (ha de verificar|no verifica|verifica)`, "es comprova amb el certificat"}, {`«`, "quotation marks as everywhere"},
		{`veredicte`, "resultat"}, {`[Ee]vidència`, "les dades observades"}, {`emissors?\b`, "entitat emissora"}, {`autoritat de certificació`, "entitat de certificació"}, {`([Rr]es|[Cc]ap token) no s'anomena|\bes pren `, "amb el nom, s'usa"},
		{`(\b(només )és|[Ee]nlloc|continuen?|privada) al token`, "en el token"}, {`[Cc]adasc`, "cada un"}, {`\bpremeu`, "polseu"}, {`vénen`, "venen"}, {`\banomena ((el|la|l'|aquest)|key)`, "indica"}, {`entregar`, "lliurar"}, {`\bdonar --`, "indicar"},
		{`\beix(a|e|os|es)\b`, "aquest"}, {`\bobrin?\b`, "obre, obren"}, {`\bfeina`, "faena"}, {`\bsigut`, "estat"}, {`\b(anglé|francé|emé|omé|admé|permé)s\b`, "-ès"}, {`lectors (molt|més|antics|no |que |i tokens)`, "programes: a lector is what a card is put into"},
		{`[Pp]er al suport|servei de suport|al suport del fabricant`, "assistència tècnica: a suport is what a file is written on"}, {`[ ']shell\b`, "intèrpret d'ordres"}, {`existix`, "existeix"}, {`autoritat arrel`, "entitat arrel"}, {`\borigen de la contrasenya|nom o un origen`, "font"},
		{`\bsi ni tan sols`, "which denies: o simplement"}, {`'p11bridge' sol\b`, "sense res més"}, {`mai .* perquè .*siga`, "pel sol fet que"},
	},
	"fr": {
		{`\ben clair\b`, "non chiffré"}, {`(^|[^e]) PIN\b`, "code PIN"}, {`Il n’en reste rien`, "aucun fichier inachevé"}, {`\b[Dd]onnez (--|le|la|un (chemin|mot))`, "indiquez"},
		{`certificat( du fichier)? a vérifié`, "vérifiée avec le certificat"}, {`en panne"`, "ne fonctionne pas"}, {`valide jusqu’au \{`, "valide {{.Until}}"}, {`code code`, "code"},
		{`[^\x{00A0}\x{202F}][;:!?»]([\s,.)]|$)|«[^\x{00A0}\x{202F}]`, "a blank that no line ends at"}, {`(\b[LlDd]e|[Uu]n) PIN\b`, "code PIN"}, {`\bjeton`, "token"}, {`[a-zé]'[a-zéè]`, "’"},
		{`moitié publique`, "partie publique"}, {`certificat( du fichier)? (ne |doit )?vérifi(e|er)\b`, "vérifiée avec le certificat"}, {`Les données (nomm|donn|la nomm|contien)|les indices`, "les constatations"}, {`veut le code`, "demande le code"},
		{`machine`, "ordinateur"}, {`l’erreur standard`, "sortie d’erreur"}, {`env:NOM\b|file:CHEMIN`, "env:NAME, file:PATH"}, {`Rien (ne lui a|n’a été fait à)`, "n’a pas été touchée"}, {`sans chiffrement hors`, "toujours chiffrée"},
		{`\bnomm(e|ez|ent|ée?s?)([^\p{L}]|$)`, "indiquer"}, {`d’incendie`, "exercice"}, {`\b[Tt]ap(ez|é|er)([^\p{L}]|$)`, "saisir"},
		{`ne peu(t|vent) pas être lue?s?`, "illisible, impossible de lire"}, {`[Ff]onctions a échoué|Le token a échoué`, "a répondu par une erreur"}, {`\bsous (un|une|votre|ce) (seul )?(mot de passe|clé)`, "avec, protégé par"},
		{`(été|est|jamais|être) donnée?s?([^\p{L}]|$)|\bdonner --`, "indiquer"}, {`\bCeci est\b`, "C’est"}, {`([Rr]ien|[Aa]ucun token) ne s’appelle|» est pris`, "ne porte le nom"}, {`\b(du|d’un|le) dossier (où|a été)|copie d’un dossier`, "répertoire"},
		{`[Ss]e connecter|connectez-vous|(sans|avant la|après (la|une)) connexion`, "ouvrir une session"}, {`[Ii]nterpréteur`, "shell"}, {`(codes? PIN|mot de passe)( est)? (faux|incorrect)`, "erroné"}, {`\bCeci n’`, "ce n’est"}, {`\b[Rr]etap`, "saisir de nouveau"}, {`exportation`, "export"}, {`[Ss](i |’il )[^.,;]*devrai(en)?t`, "s’il doit y avoir"},
		{`[Ll]ecteurs? (les plus|inconnu|et les tokens|anciens)`, "programmes: un lecteur is what a card is put into"}, {`\bjugée?s?([^\p{L}]|$)`, "évalué"},
	},
}

// prefixes are parts of names that stand before a colon.
var prefixes = regexp.MustCompile(`\b(sha256|dns|email|ip|uri|upn|pkcs11):`)

// TestWords reads every text of every language, those for Windows too, for words that it does not have.
func TestWords(t *testing.T) {
	for _, language := range messages.Languages() {
		patterns := make([]*regexp.Regexp, len(avoided[language]))
		for i, row := range avoided[language] {
			patterns[i] = regexp.MustCompile(row.word)
		}
		texts := catalogOf(t, language)
		for id, raw := range windowsTexts(t, language) {
			texts["windows "+id] = forms{"other": string(raw)}
		}
		for id, f := range texts {
			for _, text := range f {
				text = prefixes.ReplaceAllString(text, "")
				for i, row := range avoided[language] {
					if found := patterns[i].FindString(text); found != "" && !allowed(language, row.word, text) {
						t.Errorf("%s %s says %q; better: %s", language, id, found, row.instead)
					}
				}
			}
		}
	}
}

// wrapped is a line that ends in the middle of a sentence.
var wrapped = regexp.MustCompile(`[^.:?!}\n]\n[^\n]`)

// TestNoTextIsWrapped wants every sentence in one line: how wide the terminal is, nobody knows before.
func TestNoTextIsWrapped(t *testing.T) {
	for _, language := range messages.Languages() {
		for id, f := range catalogOf(t, language) {
			for _, text := range f {
				if at := wrapped.FindString(text); at != "" && id != "remains.object" {
					t.Errorf("%s %s is wrapped at %q", language, id, at)
				}
			}
		}
	}
}

// allowed are the names of the specification that look like a word.
func allowed(language, word, text string) bool {
	return language == "fr" && strings.Contains(word, "PIN") && ownPIN.MatchString(text)
}

var ownPIN = regexp.MustCompile(`(SO|codes|_)[ _]PIN|PIN-|pin-`)

// limits are the most characters that a text of a kind has: what is longer is not read, and does not fit where it is shown.
var limits = []struct {
	kind string
	most int
}{
	{`^command\.[a-z]+\.short$`, 66}, {`^reason\..*\.short$`, 40}, {`^reason\..*\.summary$`, 110}, {`^reason\..*\.why$`, 410}, {`^reason\..*\.plain$`, 260}, {`^(reason\..*\.remedy|step)\.`, 250},
	{`^error\..*\.remedy`, 290}, {`^error\.`, 190}, {`^flag\.`, 180}, {`^notice\.`, 175}, {`^prompt\.`, 200}, {`^term\.`, 250}, {`^guide\.`, 140},
}

// TestTextsAreShort holds the texts of every kind to its limit, in every language. The first kind that fits counts.
func TestTextsAreShort(t *testing.T) {
	kinds := make([]*regexp.Regexp, len(limits))
	for i, row := range limits {
		kinds[i] = regexp.MustCompile(row.kind)
	}
	for _, language := range messages.Languages() {
		held := map[string]int{}
		for id, f := range catalogOf(t, language) {
			for i, row := range limits {
				if !kinds[i].MatchString(id) {
					continue
				}
				for _, text := range f {
					held[row.kind]++
					if long := utf8.RuneCountInString(text); long > row.most && id != "command.root.short" {
						t.Errorf("%s %s has %d characters, and %d are the most", language, id, long, row.most)
					}
				}
				break
			}
		}
		if len(held) != len(limits) {
			t.Errorf("%s: a kind of text has none: %v", language, held)
		}
	}
}

// readOut reports whether a reason is read out over the telephone: a key or a certificate has it instead of a backup.
func readOut(entry verdict.Entry) bool {
	return entry.Kind == verdict.Refuses || entry.Code == verdict.KeysHiddenUntilLogin
}

// technical are words of the specifications, which nobody who has a certificate needs to know.
var technical = regexp.MustCompile(`CK[A-Z]_|\bC_[A-Z]|X\.509|(?i)extra[cíï]?[ct]?[aií]ble|mecanism|mechanism|mécanisme|attribut|envoltura|embolcall|envelopp|wrap`)

// TestRefusalsAreReadOut: why a key cannot be backed up is said in at most three sentences, in plain words, in every language.
func TestRefusalsAreReadOut(t *testing.T) {
	sentences := regexp.MustCompile(`[.?!]( |$)`)
	for _, language := range messages.Languages() {
		held := 0
		for id, f := range catalogOf(t, language) {
			if !strings.HasPrefix(id, "reason.") || !strings.HasSuffix(id, ".plain") {
				continue
			}
			held++
			text := f["other"]
			if n := len(sentences.FindAllString(text, -1)); n < 1 || n > 3 || !strings.HasSuffix(text, ".") {
				t.Errorf("%s %s has %d sentences: %s", language, id, n, text)
			}
			if word := technical.FindString(text); word != "" {
				t.Errorf("%s %s says %q", language, id, word)
			}
		}
		if held < 10 {
			t.Errorf("%s: %d reasons are read out", language, held)
		}
	}
}
