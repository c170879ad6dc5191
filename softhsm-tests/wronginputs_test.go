package softhsmtests

import (
	"regexp"
	"strings"
	"sync"
	"testing"
)

// wrongInput is what people type wrong, and what they are told: words that name the cause, words of a remedy that can be used as
// it stands, and the exit code.
type wrongInput struct {
	args          string // $P is the token and its PIN, $W a password, ␣ a space at which no line is broken
	exit          int
	cause, remedy string // patterns
}

const seeHelp = `See: p11bridge( [a-z]+)? --help`

// wrongInputs are in the order in which a command line is read: commands, flags, names, secrets, files.
var wrongInputs = []wrongInput{
	{"lst", 2, `no command "lst"`, `Did you mean: list\?`},
	{"exprot alice -o a.pfx", 2, `no command "exprot"`, `Did you mean: export\?`},
	{"help exprot", 2, `no command "exprot"`, `Did you mean: export\?`},
	{"help", 0, `Commands:`, `export`},
	{"help export", 0, `p11bridge export`, `--out`},
	{"--version", 0, `^p11bridge `, `go1`},
	{"list --tokn x", 2, `no flag --tokn`, `Did you mean: --token\?`},
	{"backup alice", 2, `no command "backup"`, `Did you mean: export\?`},
	{"import a.pfx", 2, `no command "import"`, `Did you mean: restore\?`},
	{"show", 2, `no command "show"`, `Did you mean: list\?`},
	{"esportar alice -o a.pfx", 2, `no command "esportar"`, `Did you mean: export\?`},
	{"elimminar alice", 2, `no command "elimminar"`, `p11bridge guide.* asks what you would like to do`},
	{"comprueba a.pfx", 2, `no command "comprueba"`, `Did you mean: verify\?`},
	{"còpia-de-seguretat alice", 2, `no command "còpia-de-seguretat"`, `Did you mean: export\?`},
	{"--export alice", 2, `no flag --export`, `Did you mean: export\?`},
	{"-export alice", 2, `no flag --export`, `Did you mean: export\?`},
	{"export alice --salida a.pfx $P", 2, `no flag --salida`, `Did you mean: --out\?`},
	{"export alice --arxiu a.pfx $P", 2, `no flag --arxiu`, `Did you mean: --out\?`},
	{"export alice --sortie a.pfx $P", 2, `no flag --sortie`, `Did you mean: --out\?`},
	{"export alice --Datei a.pfx $P", 2, `no flag --Datei`, `Did you mean: --out\?`},
	{"status --carpeta .", 2, `no flag --carpeta`, `Did you mean: --dir\?`},
	{"list --idioma es", 2, `no flag --idioma`, `Did you mean: --lang\?`},
	{"list --todo", 2, `no flag --todo`, `Did you mean: --wide\?`},
	{"export alice - o a.pfx $P", 2, `Only one OBJECT`, seeHelp},
	{"export alice -o a.pfx $P --contraseña 47467850", 2, `never a flag's value`, `--password-source takes .*file:PATH`},
	{"export alice -o a.pfx $P --clave=47467850", 2, `never a flag's value`, `--password-source takes .*file:PATH`},
	{"verify a.pfx --contrasenya 47467850", 2, `never a flag's value`, `--password-source takes .*file:PATH`},
	{"verify a.pfx --mot-de-passe 47467850", 2, `never a flag's value`, `--password-source takes .*file:PATH`},
	{"verify a.pfx --passwort 47467850", 2, `never a flag's value`, `--password-source takes .*file:PATH`},
	{"list --code-pin 47467850", 2, `never a flag's value`, `--pin-source takes .*file:PATH`},
	{"--list", 2, `no flag --list`, `Did you mean: list\?`},
	{"list -v", 2, `no flag -v`, `Did you mean: --verbose\?`},
	{"export alice --output a.pfx $P $W", 2, `no flag --output`, `Did you mean: --out\?`},
	{"export alice -o a.pfx --overwrite $P $W", 2, `no flag --overwrite`, `Did you mean: --force\?`},
	{"list --slot 0", 2, `no flag --slot`, `Did you mean: --token\?`},
	{"list -t x", 2, `no flag -t`, `Did you mean: .*--token`},
	{"export $P", 2, `OBJECT is missing`, `(?s)On the token:.*alice.*See: p11bridge export --help`},
	{"export -o a.pfx $P", 2, `OBJECT is missing`, `(?m)^ +alice$`},
	{"delete $P", 2, `OBJECT is missing`, `(?m)^ +alice$`},
	{"export alice $P $W", 2, `file to write is missing`, `-o alice\.pfx`},
	{"export alice $P $W --out", 2, `--out needs a value`, seeHelp},
	{"export alice a.pfx $P", 2, `Only one OBJECT`, `Did you mean: -o a\.pfx\?`},
	{"export alcie -o a.pfx $P $W", 1, `"alcie"`, `Did you mean: alice\?`},
	{"export nobody -o a.pfx $P $W", 1, `No object on the token has the name "nobody"`, `(?s)On the token:.*alice`},
	{"list ALICE $P", 0, `No object has the name "ALICE"`, `"alice" is used`},
	{"list lic $P", 0, `No object has the name "lic"`, `"alice" is used`},
	{"list twin $P", 1, `No object on the token has the name "twin"`, `(?m)^ +0f$`},
	{"delete ALICE --yes $P", 1, `No object on the token has the name "ALICE"`, `Did you mean: alice\?`},
	{"delete lic --yes --dry-run $P", 1, `No object on the token has the name "lic"`, `(?m)^ +alice$`},
	{"export ALICE -o a.pfx --delete-key --yes --allow-volatile $P $W", 1, `No object on the token has the name "ALICE"`, `Did you mean: alice\?`},
	{"export twins -o a.pfx $P $W", 2, `"twins" names several`, `(?m)^ +0f$`},
	{"list --token DEMO", 0, `No token has the name "DEMO"`, `"demo" is used`},
	{"list --token dmeo", 1, `token dmeo was not found`, `Did you mean: demo\?`},
	{"list --token other", 1, `token other was not found`, `(?m)^ +demo$`},
	{"export alice -o a.pfx $W", 4, `A PIN is needed`, `--pin-source`},
	{"export alice -o a.pfx $P", 2, `password for the file is needed`, `--password-source file:PATH`},
	{"list --pin-source 47467850", 2, `never a flag's value`, `file:PATH`},
	{"list --pin 47467850", 2, `never a flag's value`, `--pin-source takes .*file:PATH`},
	{"list --pin=47467850", 2, `never a flag's value`, `--pin-source`},
	{"export alice -o a.pfx $P --password 47467850", 2, `never a flag's value`, `--password-source takes .*file:PATH`},
	{"export alice -o a.pfx $P --passphrase=47467850", 2, `never a flag's value`, `--password-source`},
	{"export alice -o a.pfx $P --password-source pass:47467850", 2, `never a flag's value`, `file:PATH`},
	{"list --pin-source file:nowhere", 4, `file:nowhere gives nothing`, `Check the file`},
	{"list --pin-source env:NOWHERE", 4, `variable is not set`, `variable`},
	{"list --pin-source file:.", 4, `directory`, `Check the file`},
	{"export alice -o a.pfx $P --password-source generate", 2, `there is none`, `file:PATH`},
	{"export alice -o no/where/a.pfx $P $W", 1, `directory of no/where/a\.pfx does not exist`, `mkdir -p no/where`},
	{"export alice -o nowhere/ $P $W", 1, `nowhere/`, `directory`},
	{"export alice -o /dev/stdout $P $W", 2, `standard output`, `Name the file`},
	{"export alice -o - $P $W", 2, `standard output`, `\./-`},
	{"export alice -o a.cer $P $W", 2, `name of a certificate`, `\.pfx`},
	{"export alice -o a.pfx --profile old $P $W", 2, `"old"`, `modern, pbmac1 or legacy`},
	{"export alice -o a.pfx --iterations many $P $W", 2, `--iterations takes another kind of value`, `such as 600000`},
	{"list --timeout 5", 2, `--timeout takes another kind of value`, `such as 5s`},
	{"list --timeout abc", 2, `--timeout takes another kind of value`, `such as 5s`},
	{"list --json=maybe", 2, `--json takes another kind of value`, `true or false`},
	{"export --all $P $W", 2, `--dir`, seeHelp},
	{"export alice -o a.pfx --method magic $P $W", 2, `"magic"`, `auto, shroud, wrap or attributes`},
	{"verify", 2, `FILE is missing`, `See: p11bridge verify --help`},
	{"verify nowhere.pfx $W", 1, `nowhere\.pfx cannot be read: no such file`, `Check the path`},
	{"restore", 2, `FILE is missing`, `See: p11bridge restore --help`},
	{"install", 2, `CERT is missing`, `See: p11bridge install --help`},
	{"list --by name", 2, `"name"`, `token or purpose`},
	{"list --lang de", 2, `"de" is not available`, `en, es, ca, fr`},
	{"explain key-not-extractible", 2, `"key-not-extractible"`, `Did you mean: key-not-extractable`},
	{"explain file-exist", 2, `"file-exist"`, `Did you mean: file-exists`},
	{"explain 42", 2, `"42"`, `'p11bridge explain' lists them all`},
	{"explain KEY-NOT-EXTRACTABLE", 0, `key-not-extractable`, `1\.`},
	{"version foo", 2, `"foo" is one`, `See: p11bridge version --help`},
	{"list pkcs11:tokn=x", 2, `the attribute "tokn" is not known`, `pkcs11:token=LABEL;object=NAME`},
	{"list sha256:12 $P", 2, `not a fingerprint`, `at least 8`},
	{"list --module nowhere.so", 1, `no PKCS#11 module at nowhere\.so|nowhere\.so`, `p11bridge doctor|path`},
	{"list --nss-db nowhere", 1, `no certificate database .* in .*nowhere`, `p11bridge list`},
	{"list --module a --nss-db b", 2, `name two modules`, seeHelp},
	{"list 'pkcs11:token=demo?pin-value=47467850'", 2, `pin-value`, `--pin-source`},
	{"status", 2, `--dir`, `See: p11bridge status --help`},
	{"demo --keep", 2, `--dir`, `See: p11bridge demo --help`},
	{"doctor alice", 2, `"alice" is one`, `See: p11bridge doctor --help`},
	{"export 0x01 -o q.pfx --dry-run $P", 0, `No object has the name "0x01"`, `"alice" is used`},
	{"export CN=alice -o q.pfx --dry-run $P", 0, `No object has the name "CN=alice"`, `"alice" is used`},
	{"export /CN=alice -o q.pfx --dry-run $P", 0, `No object has the name "/CN=alice"`, `"alice" is used`},
	{"export %01 -o q.pfx --dry-run $P", 0, `No object has the name "%01"`, `"alice" is used`},
	{"export id=01 -o q.pfx --dry-run $P", 0, `No object has the name "id=01"`, `"alice" is used`},
	{"list label=alice $P", 0, `No object has the name "label=alice"`, `"alice" is used`},
	{"diagnose “alice” $P", 0, `No object has the name "“alice”"`, `"alice" is used`},
	{"export 1 -o q.pfx $P $W", 1, `No object on the token has the name "1"`, `Did you mean: alice\?`},
	{"export CN=ali -o q.pfx $P $W", 1, `No object on the token has the name "CN=ali"`, `Did you mean: alice\?`},
	{"export CN=twins -o q.pfx $P $W", 1, `No object on the token has the name "CN=twins"`, `Did you mean: (0f, 10|10, 0f)\?`},
	{"export alice.pfx -o q.pfx $P $W", 1, `No object on the token has the name "alice.pfx"`, `Did you mean: alice\?`},
	{"delete 0x01 --yes $P", 1, `No object on the token has the name "0x01"`, `Did you mean: alice\?`},
	{"delete CN=alice --yes $P", 1, `No object on the token has the name "CN=alice"`, `Did you mean: alice\?`},
	{"export 0x01 -o q.pfx --delete-key --yes --allow-volatile $P $W", 1, `No object on the token has the name "0x01"`, `Did you mean: alice\?`},
	{"EXPORT alice", 2, `no command "EXPORT"`, `Did you mean: export`},
	{"tokens", 2, `no command "tokens"`, `Did you mean: list\?`},
	{"keygen", 2, `no command "keygen"`, `Did you mean: request\?`},
	{"convert a.pfx", 2, `no command "convert"`, `Did you mean: export\?`},
	{"add a.cer", 2, `no command "add"`, `Did you mean: install\?`},
	{"p11bridge list", 2, `no command "p11bridge list"`, `Did you mean: list\?`},
	{"/?", 0, `shows what is on a smart card`, `p11bridge COMMAND`},
	{"list -?", 0, `every token with its certificates`, `p11bridge list`},
	{"-V", 2, `no flag -V`, `Did you mean: .*--version`},
	{"list -token demo", 2, `no flag -t`, `Did you mean: --token\?`},
	{"list -verbose", 2, `no flag -v`, `Did you mean: --verbose\?`},
	{"delete --all", 2, `no flag --all`, `no flag --all\.\n *See: p11bridge delete --help`},
	{"delete alice --allow-volatil", 2, `no flag --allow-volatil`, `Did you mean: --allow-volatile`},
	{"export alice —out a.pfx $P", 2, `—out begins with a long dash`, `Did you mean: --out\?`},
	{"export alice –o a.pfx $P", 2, `–o begins with a long dash`, `Did you mean: -o\?`},
	{"list —pin-source=47467850", 2, `—pin-source begins with a long dash`, `Did you mean: --pin-source\?`},
	{"export alice smith -o a.pfx $P", 2, `Only one OBJECT`, `Did you mean: 'alice smith'\?`},
	{"export all $P", 2, `file to write is missing`, `Did you mean: --all --dir DIR\?`},
	{"export * $P", 2, `file to write is missing`, `Did you mean: --all --dir DIR\?`},
	{"list --pin-source env:47467850", 2, `never a flag's value`, `--pin-source`},
	{"list -pin 47467850", 2, `never a flag's value`, `-source`},
	{"list -p47467850", 2, `never a flag's value`, `-source`},
	{"list --pin_source file:x", 2, `no flag --pin_source`, `Did you mean: --pin-source\?`},
	{"list --pin-source file:~/pin.txt", 4, `no such file`, `only where a word begins with it`},
	{"list --lang español", 2, `"español" is not available`, `Did you mean: --lang es\?`},
	{"list --colour never", 2, `no flag --colour`, `Did you mean: --color\?`},
	{"list --timeout -5s", 2, `longer than zero`, `60s`},
	{"status backups", 2, `"backups" is one`, `Did you mean: --dir backups\?`},
	{"drill backups", 2, `"backups" is one`, `Did you mean: --dir backups\?`},
	{"snapshot s.json", 2, `"s.json" is one`, `Did you mean: --out s\.json\?`},
	{"report nowhere.json", 1, `nowhere\.json.*cannot be read`, `status --json`},
	{"explain CKA_EXTRACTABLE", 2, `"CKA_EXTRACTABLE"`, `Did you mean: .*key-not-extractable`},
	{"completion BASH", 2, `"BASH"`, `Did you mean: bash\?`},
	{"export alice --format pfx -o a.pfx $P $W", 2, `--format is for a certificate alone`, `--certificate-only`},
	{"export alice --dir b $P $W", 2, `--dir is for --all`, `-o FILE`},
	{"request alice --subject alice -o r.csr $P", 2, `"alice" is not a known type of name`, `CN=Alice`},
	{"alice", 2, `no command "alice"`, `p11bridge guide.* asks what you would like to do`},
	{"backup.PFX", 2, `no command "backup\.PFX"`, `Did you mean: verify backup\.PFX, restore backup\.PFX\?`},
	{"certificate.cer", 2, `no command "certificate\.cer"`, `Did you mean: install certificate\.cer\?`},
	{"snapshot.json", 2, `no command "snapshot\.json"`, `Did you mean: diagnose --from snapshot\.json\?`},
	{"firefox", 2, `no command "firefox"`, `Did you mean: list\?`},
	{"EXPORT alice", 2, `no command "EXPORT"`, `Did you mean: export\?`},
	{"exports alice", 2, `no command "exports"`, `Did you mean: export\?`},
	{"verfy backup.pfx", 2, `no command "verfy"`, `Did you mean: verify\?`},
	{"-pin 47467850 list", 2, `--pin-source takes .* never a flag's value`, `file:PATH`},
	{"--pin 47467850 list", 2, `--pin-source takes .* never a flag's value`, `file:PATH`},
	{"--password=47467850 list", 2, `--pin-source takes .* never a flag's value`, `file:PATH`},
	{"list -p 47467850", 2, `--pin-source takes .* never a flag's value`, `file:PATH`},
	{"export alice -pin 47467850", 2, `--pin-source takes .* never a flag's value`, `file:PATH`},
	{"export alice -p 47467850", 2, `--password-source takes .* never a flag's value`, `file:PATH`},
	{"export alice -o ~user/a.pfx $P $W", 1, `directory of ~user/a\.pfx does not exist`, `does not exist\.\n *The shell puts your folder in the place of ~`},
	{"restore backup.pfx demo", 2, `Only one FILE`, `Did you mean: --token demo\?`},
	{"request alice --cn alice", 2, `no flag --cn`, `Did you mean: --subject\?`},
	{"list --no-pin", 2, `no flag --no-pin`, `Did you mean: --no-login\?`},
	{"list --lang val", 2, `"val" is not available`, `Did you mean: --lang ca\?`},
	{"export «alice» -o q.pfx --dry-run $P", 0, `No object has the name "«alice»"`, `p11bridge export alice -o q\.pfx --pin-source`},
	{"export álice -o q.pfx $P $W", 1, `No object on the token has the name "álice"`, `Did you mean: alice\?`},
	{"export alice, twins -o q.pfx", 2, `Only one OBJECT`, `p11bridge export --help`},
	{"export pkcs11:alice -o q.pfx $P $W", 2, `not a PKCS#11 URI`, `pkcs11:token=LABEL;object=NAME`},
	{"delete alice", 2, `asks on the terminal for the key's name`, `--copy FILE`},
	{"list -json", 2, `no flag -j`, `Did you mean: --json\?`},
	{"export alice -o a.pfx -o b.pfx $P $W", 2, `--out is given twice`, `Give it once`},
	{"export alice -o a.pfx --out b.pfx $P $W", 2, `--out is given twice`, seeHelp},
	{"export alice -o q.pfx -o q.pfx --dry-run $P", 0, `q\.pfx could be written`, `Nothing was done`},
	{"list --token demo --token other", 2, `--token is given twice`, `Give it once`},
	{"list --pin-source 47467850 --pin-source file:47467850", 2, `--pin-source is given twice`, `Give it once`},
	{"list --quiet --quiet=false", 2, `--quiet is given twice`, seeHelp},
	{"export alice --chain no.pem --chain nor.pem -o a.pfx $P $W", 1, `no\.pem cannot be read`, `Check the path`},
	{"p11bridge backup", 2, `no command "p11bridge backup"`, `Did you mean: export\?`},
	{"p11bridge card", 2, `no command "p11bridge card"`, `Did you mean: list\?`},
	{"card", 2, `no command "card"`, `Did you mean: list\?`},
	{"/export alice", 2, `no command "/export"`, `Did you mean: export\?`},
	{"--all export --dir b", 2, `--all belongs to the command export`, `Did you mean: export --all\?`},
	{"--wide list $P", 2, `--wide belongs to the command list`, `Did you mean: list --wide\?`},
	{"--help export", 0, `Carry one key`, `p11bridge export`},
	{"-h list", 0, `every token with its certificates`, `p11bridge list \[OBJECT\]`},
	{"LIST", 2, `no command "LIST"`, `Did you mean: list\?`},
	{"sauvegarder alice", 2, `no command "sauvegarder"`, `Did you mean: export\?`},
	{"còpia alice", 2, `no command "còpia"`, `Did you mean: export\?`},
	{"llistar", 2, `no command "llistar"`, `Did you mean: list\?`},
	{"verificar a.pfx", 2, `no command "verificar"`, `Did you mean: verify\?`},
	{"vérifier a.pfx", 2, `no command "vérifier"`, `Did you mean: verify\?`},
	{"esborrar alice", 2, `no command "esborrar"`, `Did you mean: delete\?`},
	{"renouveler alice", 2, `no command "renouveler"`, `Did you mean: request\?`},
	{"instal·lar a.cer", 2, `no command "instal·lar"`, `Did you mean: install\?`},
	{"ayuda", 2, `no command "ayuda"`, `Did you mean: help\?`},
	{"help exportar", 2, `no command "exportar"`, `Did you mean: export\?`},
	{"--lang es exportar", 2, `No existe el comando "exportar"`, `¿Quiso decir: export\?`},
	{"export␣alice", 2, `non-breaking space`, `ordinary spaces`},
	{"export alice␣-o␣a.pfx $P", 2, `non-breaking space`, `ordinary spaces`},
	{"list --pin-source␣47467850", 2, `non-breaking space`, `ordinary spaces`},
	{"list --pin-source=“47467850”", 2, `--pin-source stands in curly quotes`, seeHelp},
	{"export alice -o “a.pfx” $P $W", 2, `--out stands in curly quotes`, `Did you mean: --out a\.pfx\?`},
	{"list --token «demo»", 1, `The token «demo» was not found`, `Did you mean: demo\?`}, // there could be one
	{"export alice -o https://example.org/a.pfx $P $W", 2, `is an address on the web`, `path of a file or a directory`},
	{"verify https://example.org/a.pfx $W", 1, `cannot be read`, `download the file first`},
	{"export alice -o C:\\Users\\a.pfx $P $W", 2, `is a path of Windows`, `separated by /`},
	{"verify C:\\Users\\a.pfx $W", 1, `cannot be read`, `path of Windows`},
	{"verify ~user/a.pfx $W", 1, `cannot be read`, `Type the whole path`},
	{"status --dir=~/backups $P", 1, `No such directory: ~/backups\.`, `Type the whole path`},
	{"export *.pfx $P", 2, `"\*\.pfx" looks like the name of a file`, `p11bridge list`},
	{"export a.pfx alice $P $W", 2, `Only one OBJECT`, `Did you mean: alice -o a\.pfx\?`},
	{"export alice smith a.pfx $P $W", 2, `Only one OBJECT`, `Did you mean: 'alice smith' -o a\.pfx\?`},
	{"export alice out=a.pfx $P $W", 2, `Only one OBJECT`, `Did you mean: --out a\.pfx\?`},
	{"export alice --out = a.pfx $P $W", 2, `Only one OBJECT`, `Did you mean: -o a\.pfx\?`},
	{"export alice pin-source=47467850 $W", 2, `Only one OBJECT`, `Did you mean: --pin-source\?`},
	{"export alice --out= $P $W", 2, `file to write is missing`, `Did you mean: -o alice\.pfx\?`},
	{"export alice --all --dir b $P $W", 2, `--all takes every key, and "alice" names one`, `Leave one of the two out`},
	{"export --all -o b $P $W", 2, `directory for the files is missing`, `Did you mean: --dir b\?`},
	{"export --dir b $P $W", 2, `--dir is for --all`, `Did you mean: --all --dir b\?`},
	{"export alice -o a.pfx --profile Modern $P $W", 2, `"Modern"`, `Did you mean: modern\?`},
	{"export alice -o a.pfx --legacy $P $W", 2, `no flag --legacy`, `Did you mean: --profile\?`},
	{"export alice -o a.pfx --iterations 600.000 $P $W", 2, `takes another kind of value`, `such as 600000`},
	{"list token demo", 2, `Only one OBJECT`, `Did you mean: --token demo\?`},
	{"list demo $P", 1, `"demo"`, `Did you mean: --token demo\?`},
	{"list --token 0", 1, `token 0 was not found`, `(?m)^ +demo$`},
	{"list slot:0 $P", 1, `"slot:0"`, `(?s)On the token:.*alice`},
	{"list SHA256:AB:CD:EF:01:23:45:67:89 $P", 1, `"SHA256:AB:CD:EF:01:23:45:67:89"`, `sha256:FINGERPRINT`},
	{"list sha1:abcdef0123456789 $P", 1, `"sha1:abcdef0123456789"`, `sha256:FINGERPRINT`},
	{"export id:01 -o q.pfx --dry-run $P", 0, `No object has the name "id:01"`, `"alice" is used`},
	{"export <alice> -o q.pfx $P $W", 1, `"<alice>"`, `Did you mean: alice\?`},
	{"export alice. -o q.pfx $P $W", 1, `"alice\."`, `Did you mean: alice\?`},
	{"list --all $P", 2, `no flag --all`, `Did you mean: --wide\?`},
	{"list --no-colour", 2, `no flag --no-colour`, `Did you mean: --color\?`},
	{"list --color off", 2, `--color takes auto, always or never`, seeHelp},
	{"list --by Purpose", 2, `"Purpose"`, `Did you mean: purpose\?`},
	{"list --timeout 5sec", 2, `--timeout takes another kind of value`, `such as 5s`},
	{"list --lang spanish", 2, `"spanish" is not available`, `Did you mean: --lang es\?`},
	{"list --pin-source stdin", 2, `never a flag's value`, `fd:N`},
	{"restore a.pfx -i b.pfx", 2, `no flag -i`, `Did you mean: restore FILE\?`},
	{"verify --in a.pfx", 2, `no flag --in`, `Did you mean: verify FILE\?`},
	{"verify a.pfx -p 47467850", 2, `--password-source takes .*sealed`, `file:PATH`},
	{"request alice --subject Alice $P", 2, `"Alice" is not a known type of name`, `Did you mean: --subject 'CN=Alice'\?`},
	{"request alice --key-type RSA $P", 2, `"RSA"`, `Did you mean: rsa2048, rsa3072, rsa4096\?`},
	{"status --dir b --expires-within 30 $P", 2, `not "30"`, `Did you mean: --expires-within 30d\?`},
	{"completion /bin/bash", 2, `no completion for "/bin/bash"`, `Did you mean: bash\?`},
	{"delete alice --force $P", 2, `no flag --force`, `no flag --force\.\n *See: p11bridge delete --help`},
	{"export --label alice -o a.pfx $P", 2, `no flag --label`, `Did you mean: export OBJECT\?`},
	{"delete --id 01 $P", 2, `no flag --id`, `Did you mean: delete OBJECT\?`},
	{"install --cert a.cer $P", 2, `no flag --cert`, `Did you mean: install CERT\?`},
	{"export alice --file a.pfx $P", 2, `no flag --file`, `Did you mean: --out\?`},
	{"diagnose --output a.html $P", 2, `no flag --output`, `Did you mean: --html\?`},
	{"list --provider a.so", 2, `no flag --provider`, `Did you mean: --module\?`},
	{"list --firefox", 2, `no flag --firefox`, `Did you mean: --nss-db\?`},
	{"verify --password-file p.txt a.pfx", 2, `no flag --password-file`, `Did you mean: --password-source\?`},
	{"list --format json", 2, `no flag --format`, `Did you mean: --json\?`},
	{"verify a.pfx --key alice", 2, `no flag --key`, `Did you mean: --against\?`},
	{"--versoin", 2, `no flag --versoin`, `Did you mean: --version\?`},
	{"sichern alice", 2, `no command "sichern"`, `Did you mean: export\?`},
	{"prüfen a.pfx", 2, `no command "prüfen"`, `Did you mean: verify\?`},
	{"hilfe", 2, `no command "hilfe"`, `Did you mean: help\?`},
	{"help liste", 2, `no command "liste"`, `See: p11bridge --help`},
	{"export alice /o a.pfx $P $W", 2, `/o is how programs of Windows write a flag`, `Did you mean: -o\?`},
	{"list /token demo", 2, `/token is how programs of Windows write a flag`, `Did you mean: --token\?`},
	{"verify /help", 2, `/help is how programs of Windows write a flag`, `Did you mean: --help\?`},
	{"export alice out a.pfx $P $W", 2, `Only one OBJECT`, `Did you mean: alice --out a\.pfx\?`},
	{"list demo 47467850", 2, `never a flag's value`, `--pin-source takes .*file:PATH`},
	{"export alice 47467850 -o a.pfx", 2, `never a flag's value`, `--pin-source takes .*file:PATH`},
	{"list card 2024", 2, `Only one OBJECT`, `Did you mean: 'card 2024'\?`},
	{"export '' -o a.pfx $P $W", 2, `OBJECT is empty`, `variable of the shell`},
	{"list ''", 2, `OBJECT is empty`, seeHelp},
	{"verify '' $W", 2, `FILE is empty`, seeHelp},
	{"list --pin-source -", 2, `never a flag's value`, `Did you mean: --pin-source fd:0\?`},
	{"list --pin-source ask", 2, `never a flag's value`, `Did you mean: --pin-source prompt\?`},
	{"export alice —o a.pfx $P $W", 2, `—o begins with a long dash`, `(?s)Did you mean: -o\?.*See: p11bridge export --help`},
	{"list --module ~/lib.so", 1, `no PKCS#11 module at ~/lib\.so`, `Type the whole path`},
	{"list --nss-db ~/.mozilla", 1, `no certificate database`, `Type the whole path`},
	{"list --trace ~/t", 1, `trace file ~/t cannot be written`, `Type the whole path`},
	{"explain token absent", 2, `Only one CODE`, `Did you mean: token-absent\?`},
	{"explain cka-idd", 2, `no code and no term "cka-idd"`, `Did you mean: cka-id`},
	{"request alice --san www.example.org $P", 2, `"www\.example\.org" has no value`, `Did you mean: --san dns:www\.example\.org\?`},
	{"request alice --san a@example.org $P", 2, `has no value`, `Did you mean: --san email:a@example\.org\?`},
	{"request alice --san 192.0.2.1 $P", 2, `has no value`, `Did you mean: --san ip:192\.0\.2\.1\?`},
	{"list /? $P", 0, `every token with its certificates`, `p11bridge list \[OBJECT\]`},
}

// TestWrongInputs types them all. What may be a secret is repeated nowhere, and none of them leaves a file.
func TestWrongInputs(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `token "demo"
label="alice" id=01 key=p256 policy=wrappable certificate=valid
label="twins" id=0f key=p256 policy=wrappable certificate=valid
label="twins" id=10 key=p256 policy=wrappable certificate=valid
`)
	if all := len(wrongInputs) + len(wrongFiles); all < 105 {
		t.Fatalf("only %d rows", all)
	}
	for _, row := range wrongInputs {
		t.Run(row.args, func(t *testing.T) {
			t.Parallel()
			row.run(t, p)
		})
	}
}

// loggingIn is held by the one row that logs in: SoftHSM writes its token.object anew then, and does not read it well meanwhile.
var loggingIn sync.Mutex

// run types the command line and looks at the answer.
func (row wrongInput) run(t *testing.T, p *place) *result {
	t.Helper()
	var args []string
	for _, word := range strings.Fields(row.args) {
		switch word = strings.ReplaceAll(word, "␣", "\u00a0"); word {
		case "$P":
			args = append(args, "--token", "demo", "--pin-source", p.pin)
		case "$W":
			args = append(args, "--password-source", p.password)
		default:
			args = append(args, strings.ReplaceAll(strings.Trim(word, "'"), "FILE/", p.directory+"/"))
		}
	}
	if strings.Contains(row.args, "$P") {
		loggingIn.Lock()
		defer loggingIn.Unlock()
	}
	r := p11bridge(t, p.environment, args...)
	if r.code != row.exit {
		t.Errorf("exit code %d, not %d", r.code, row.exit)
	}
	said := strings.ReplaceAll(r.stdout+r.stderr, p.directory+"/", "FILE/")
	for _, pattern := range []string{row.cause, row.remedy} {
		if !regexp.MustCompile(pattern).MatchString(said) {
			t.Errorf("nothing says %s:\n%s", pattern, said)
		}
	}
	if row.exit != 0 {
		checkShort(t, strings.ReplaceAll(r.stderr, p.directory+"/", "FILE/"))
	}
	if strings.Contains(said, "47467850") {
		t.Errorf("a secret is repeated:\n%s", said)
	}
	return r
}
