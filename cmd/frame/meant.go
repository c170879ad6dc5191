package frame

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"p11bridge/cmd/messages"
	"p11bridge/token/foreign"
)

const programName = "p11bridge"

// What other programs, and people, call what is there under another name.
var (
	meantCommands = map[string]string{
		"backup": "export", "save": "export", "copy": "export", "extract": "export", "convert": "export",
		"import": "restore", "recover": "restore", "load": "restore", "add": "install", "put": "install",
		"show": "list", "ls": "list", "dir": "list", "keys": "list", "tokens": "list", "slots": "list", "certs": "list", "certificates": "list", "firefox": "list", "thunderbird": "list", "chrome": "list", "chromium": "list", "librewolf": "list", "info": "list", "print": "list",
		"check": "verify", "test": "verify", "validate": "verify", "rm": "delete", "remove": "delete", "destroy": "delete",
		"renew": "request", "csr": "request", "generate": "request", "gen": "request", "keygen": "request", "new": "request",
		"why": "diagnose", "debug": "doctor", "start": "guide", "wizard": "guide", "menu": "guide",
		"?": "help", "h": "help", "man": "help", "card": "list", "cert": "list", "certificate": "list", "key": "list",
	}
	// translatedCommands are the commands as people who read the texts in another language call them.
	translatedCommands = map[string][]string{
		"export":   {"exportar", "exporter", "guardar", "guarda", "desar", "desa", "copiar", "copia", "còpia", "copie", "copier", "sauvegarder", "sauvegarde", "copia-de-seguridad", "còpia-de-seguretat", "respaldar", "respaldo", "salvaguardar", "sichern", "sicherung", "exportieren", "kopieren", "kopie", "speichern"},
		"list":     {"listar", "lista", "llistar", "llista", "lister", "liste", "mostrar", "mostra", "muestra", "ver", "veure", "voir", "afficher", "tarjeta", "targeta", "carte", "certificado", "certificados", "certificat", "certificats", "clave", "claves", "clau", "claus", "clé", "clés", "anzeigen", "zeigen", "auflisten", "karte", "zertifikat", "zertifikate", "schlüssel"},
		"verify":   {"verificar", "verifica", "verifier", "vérifier", "comprobar", "comprueba", "comprova", "comprovar", "contrôler", "prüfen", "überprüfen"},
		"restore":  {"restaurar", "restaura", "restaurer", "recuperar", "recupera", "récupérer", "importar", "importa", "importer", "wiederherstellen", "importieren"},
		"delete":   {"borrar", "borra", "eliminar", "elimina", "suprimir", "esborrar", "esborra", "supprimer", "effacer", "löschen", "entfernen"},
		"request":  {"solicitar", "solicitud", "sol·licitar", "sol·licitud", "pedir", "demanar", "demander", "demande", "renovar", "renova", "renouveler", "beantragen", "anfordern", "erneuern"},
		"install":  {"instalar", "instala", "instal·lar", "instal·la", "installer", "installieren"},
		"diagnose": {"diagnosticar", "diagnóstico", "diagnòstic", "diagnostic", "diagnostiquer", "pourquoi", "perquè", "warum"},
		"explain":  {"explicar", "explica", "expliquer", "erklären"},
		"status":   {"estado", "estat", "état"},
		"report":   {"informe", "rapport", "bericht"},
		"guide":    {"guía", "guia", "asistente", "assistent", "assistant"},
		"help":     {"ayuda", "ajuda", "aide", "hilfe"},
		"version":  {"versión", "versió"},
	}
	// meantFlags are the flags that may be meant by others: the first that the command has.
	meantFlags = map[string][]string{
		"output": {"out", "html", "json"}, "file": {"out"}, "output-file": {"out"}, "outfile": {"out"}, "pfx": {"out"}, "p12": {"out"}, "report": {"html"}, "pdf": {"html"}, "overwrite": {"force"},
		"slot": {"token"}, "slot-index": {"token"}, "reader": {"token"}, "to": {"token"}, "library": {"module"}, "lib": {"module"}, "provider": {"module"}, "pkcs11-module": {"module"},
		"firefox": {"nss-db"}, "profile": {"nss-db"}, "db": {"nss-db"}, "database": {"nss-db"}, "directory": {"dir"}, "folder": {"dir"}, "legacy": {"profile"},
		"password-file": {"password-source", "pin-source"}, "passfile": {"password-source", "pin-source"}, "pin-file": {"pin-source"}, "no-pin": {"no-login"},
		"cn": {"subject"}, "dns": {"san"}, "email": {"san"}, "rsa": {"key-type"}, "bits": {"key-type"}, "key-size": {"key-type"}, "key": {"against"},
		"language": {"lang"}, "silent": {"quiet"}, "debug": {"verbose"}, "details": {"verbose"}, "all": {"wide"}, "long": {"wide"}, "csv": {"json"}, "format": {"json"},
		"no-color": {"color"}, "no-colour": {"color"}, "?": {"help"}, "usage": {"help"},
	}
	// translatedFlags are flags as people who read the texts in another language call them. Those of a PIN and a password are secretFlags.
	translatedFlags = map[string][]string{
		"out":     {"salida", "fichero", "archivo", "sortida", "fitxer", "arxiu", "sortie", "fichier", "ausgabe", "datei"},
		"dir":     {"carpeta", "directorio", "directori", "dossier", "répertoire", "repertoire", "ordner", "verzeichnis"},
		"lang":    {"idioma", "lengua", "llengua", "langue", "sprache"},
		"force":   {"forzar", "forçar", "forcer", "sobrescribir", "sobreescriure", "remplacer", "überschreiben", "erzwingen"},
		"token":   {"tarjeta", "targeta", "carte", "karte", "lector", "lecteur", "leser"},
		"all":     {"todo", "todos", "todas", "tot", "tots", "totes", "tout", "tous", "toutes", "alle", "alles"},
		"subject": {"titular", "nombre", "nom"},
		"verbose": {"detalle", "detalles", "detall", "detalls", "détail", "détails", "ausführlich"},
		"help":    {"ayuda", "ajuda", "aide", "hilfe"},
	}
	meantLanguages = map[string]string{
		"english": "en", "inglés": "en", "anglès": "en", "anglais": "en", "español": "es", "espanol": "es", "castellano": "es", "spanish": "es", "castellà": "es", "espagnol": "es",
		"català": "ca", "catala": "ca", "catalán": "ca", "catalan": "ca", "valencià": "ca", "valencia": "ca", "valenciano": "ca", "val": "ca", "va": "ca", "français": "fr", "francais": "fr", "french": "fr", "francés": "fr", "francès": "fr",
	}
)

// meantCommand is the command that is known here under another name, empty for none.
func meantCommand(word string) string {
	if meant := meantCommands[word]; meant != "" {
		return meant
	}
	for command, others := range translatedCommands {
		if slices.Contains(others, word) {
			return command
		}
	}
	return ""
}

// nearTranslated is the command that is meant by a word which is nearest to what it is called in another language. A short word, such as a
// name, is near to many. A command that destroys is offered to nobody who typed another word.
func nearTranslated(word string) []string {
	const shortest = 7
	if utf8.RuneCountInString(word) < shortest {
		return nil
	}
	var all []string
	for command, others := range translatedCommands {
		if command != "delete" {
			all = append(all, others...)
		}
	}
	slices.Sort(all)
	near := nearest(strings.ToLower(word), all)
	if len(near) == 0 {
		return nil
	}
	return []string{meantCommand(near[0])}
}

// meantFlag are the flags that may be meant by a name, also in another language.
func meantFlag(name string) []string {
	name = strings.ToLower(name)
	meant := slices.Clone(meantFlags[name])
	for flag, others := range translatedFlags {
		if slices.Contains(others, name) {
			meant = append(append(meant, flag), meantFlags[flag]...)
		}
	}
	return meant
}

// argumentFlags are what other programs call the flag of what is an argument here.
var argumentFlags = map[string][]string{
	"FILE":   {"i", "in", "input", "infile", "file", "pfx", "p12"},
	"CERT":   {"i", "in", "input", "infile", "file", "cert", "certificate"},
	"OBJECT": {"id", "label", "name", "object", "key", "alias", "cert", "certificate"},
}

// asArgument is the command with its argument, where that is meant by a flag that it does not have; empty elsewhere.
func asArgument(c *cobra.Command, name string) []string {
	words := strings.Fields(c.Use)
	if len(words) < 2 {
		return nil
	}
	if argument := strings.Trim(words[1], "([…])"); slices.Contains(argumentFlags[argument], name) {
		return []string{words[0] + " " + argument}
	}
	return nil
}

// nearFlags are the flags that may have been meant by a name, or by letters behind a single dash, as they are typed. One that takes a
// protection away is offered to nobody who typed another word.
func nearFlags(name, letters string, known []string) []string {
	const weakens = "allow-"
	if !strings.HasPrefix(name, weakens[:len(weakens)-1]) {
		known = slices.DeleteFunc(slices.Clone(known), func(flag string) bool { return strings.HasPrefix(flag, weakens) })
	}
	near := nearest(name, known)
	if utf8.RuneCountInString(name) == 1 {
		near = slices.DeleteFunc(slices.Clone(known), func(flag string) bool { return !strings.HasPrefix(flag, strings.ToLower(name)) })
		near = near[:min(len(near), mostNear)]
	}
	for _, meant := range append(meantFlag(name), letters) {
		if slices.Contains(known, meant) {
			near = []string{meant}
			break
		}
	}
	for i := range near {
		near[i] = "--" + near[i]
	}
	return near
}

// longDashes are what word processors and web pages make of a dash, or of two.
const longDashes = "–—−‐‑"

// longDash is the mistake of a flag with such a dash before it, which is an argument otherwise. It is nil where there is none.
func (a *App) longDash(arguments []string) error {
	for _, argument := range arguments {
		if argument == "--" {
			return nil
		}
		first, size := utf8.DecodeRuneInString(argument)
		typed, _, _ := strings.Cut(argument, "=") // what is behind it may be a secret
		name := strings.TrimLeft(typed[min(size, len(typed)):], "-"+longDashes)
		if !strings.ContainsRune(longDashes, first) || !a.isFlag(name) {
			continue
		}
		if c, _, err := a.root.Find(arguments); err == nil && c != a.root {
			a.command = c // its help is meant
		}
		return UsageMeant("error.long-dash", messages.Args{"Typed": foreign.Text(typed)}, dashed(name))
	}
	return nil
}

// isFlag reports whether any command has the flag.
func (a *App) isFlag(name string) bool {
	for _, c := range append(a.root.Commands(), a.root) {
		if c.Flags().Lookup(name) != nil || c.PersistentFlags().Lookup(name) != nil || len(name) == 1 && c.Flags().ShorthandLookup(name) != nil {
			return true
		}
	}
	return false
}
