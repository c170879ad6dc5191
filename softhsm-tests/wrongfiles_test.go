package softhsmtests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wrongFiles are what people name in place of the file, the directory or the object that a command wants. FILE/ is a directory with
// files of every kind.
var wrongFiles = []wrongInput{
	{"list --pin-source FILE/pin.txt", 2, `never a flag's value`, `Did you mean: --pin-source file:FILE/pin\.txt\?`},
	{"list alice FILE/text.txt FILE/pin.txt", 2, `Only one OBJECT`, `Only one OBJECT can be given\.\n *See: p11bridge list --help`},
	{"list --pin-source File:FILE/pin.txt", 2, `never a flag's value`, `Did you mean: --pin-source file:FILE/pin\.txt\?`},
	{"list --pin-source file=FILE/pin.txt", 2, `never a flag's value`, `Did you mean: --pin-source file:FILE/pin\.txt\?`},
	{"drill FILE/pin.txt", 2, `takes no argument`, `Did you mean: --dir /\S*/\d+\?`},
	{"verify FILE/directory $W", 1, `is a directory`, `Did you mean: --dir FILE/directory\?`},
	{"list --pin-source file:FILE/other.txt --token demo", 4, `The PIN is wrong`, `type the PIN with care`},
	{"export alice -o FILE/n.pfx $P --password-source file:FILE/empty.txt", 1, `password is empty`, `--allow-empty-password`},
	{"export alice -o FILE/good.pfx $P $W", 1, `exists already and is left as it is`, `--force`},
	{"export alice -o FILE/link.pfx $P $W", 1, `symbolic link`, `path of the file itself`},
	{"export alice -o /proc/n.pfx $P $W", 1, `/proc/n\.pfx cannot be written`, `Choose a directory`},
	{"export paul -o FILE/n.pfx $P $W", 1, `No certificate is known to be this key`, `p11bridge request paul --same-key`},
	{"export alone -o FILE/n.pfx $P $W", 3, `certificate, but not its private key`, `1\. Look for the private key`},
	{"export alice -o FILE/n.pfx --iterations 0 $P $W", 2, `--iterations is a number from 1`, seeHelp},
	{"export alice -o FILE/n.pfx --chain FILE/text.txt $P $W", 1, `text\.txt cannot be read: there is no certificate`, `certificates in PEM or DER`},
	{"export alice -o FILE/n.pfx --certificate FILE/good.pfx $P $W", 1, `no certificate in PEM or DER`, `p11bridge restore FILE/good\.pfx`},
	{"export --all --dir FILE/text.txt $P $W", 1, `FILE/text\.txt is a file`, `path of a directory`},
	{"export alice -o FILE/alice.cer --certificate-only $P", 0, `This is not a backup of the key`, `1\. `},
	{"export alice -o FILE/n.pfx --certificate-only $P", 2, `name of a backup`, `ends in \.cer`},
	{"export alice -o FILE/n.pfx --delete-key --allow-volatile $P $W", 2, `asks on the terminal`, `add --yes`},
	{"verify FILE/good.pfx FILE/damaged.pfx $W", 6, `damaged\.pfx  not a valid copy`, `1\. Copy or download the file again`},
	{"request alice alone $P", 2, `Only one OBJECT`, `See: p11bridge request --help`},
	{"install FILE/cert.pem FILE/key.pem $P", 2, `Only one CERT`, `See: p11bridge install --help`},
	{"verify FILE/good.pfx", 2, `password for the file is needed`, `--password-source file:PATH`},
	{"restore FILE/good.pfx $P", 2, `password for the file is needed`, `--password-source file:PATH`},
	{"verify FILE/damaged.pfx $W", 6, `This file is damaged`, `1\. Copy or download the file again`},
	{"verify FILE/cert.pem $W", 6, `only a certificate`, `do not keep it as a backup`},
	{"verify FILE/key.pem $W", 6, `private key without any protection`, `openssl pkcs12 -export`},
	{"verify FILE/text.txt $W", 6, `This is not a PFX file`, `right file`},
	{"verify FILE/empty.txt $W", 6, `This file is empty`, `1\. Copy or download the file again`},
	{"verify FILE/directory $W", 1, `directory cannot be read: is a directory`, `path of a file in it`},
	{"verify FILE/dangling.pfx $W", 1, `no such file or directory\.\n  Check the path`, `Check the path`},
	{"verify file:FILE/good.pfx $W", 1, `no such file`, `Did you mean: FILE/good\.pfx\?`},
	{"diagnose FILE/good.pfx $P", 1, `No object on the token has the name`, `Did you mean: verify FILE/good\.pfx, restore FILE/good\.pfx\?`},
	{"list --nss-db FILE/good.pfx", 1, `no certificate database .* FILE/good\.pfx`, `about:profiles`},
	{"verify FILE/good.pfx 47467850", 2, `password for the file is needed`, `--password-source file:PATH`},
	{"verify FILE/god.pfx $W", 1, `no such file`, `Did you mean: FILE/good\.pfx\?`},
	{"verify FILE/good.pfx --password-source file:FILE/other.txt", 6, `password is wrong`, `1\. Try again, and check the keyboard`},
	{"verify FILE/good.pfx --against bob $P $W", 6, `backup, but of another key`, `--against bob --pin-source`},
	{"restore FILE/cert.pem $P $W", 6, `only a certificate`, `p11bridge install FILE/cert\.pem`},
	{"restore FILE/directory $P $W", 1, `is a directory`, `path of a file in it`},
	{"install FILE/key.pem $P", 1, `no certificate in PEM or DER`, `holds a private key`},
	{"install FILE/good.pfx $P", 1, `no certificate in PEM or DER`, `p11bridge restore FILE/good\.pfx`},
	{"install FILE/stranger.pem $P", 1, `No private key on this token belongs to this certificate`, `1\. See whether it is the right token`},
	{"request nobody $P", 1, `No object on the token has the name "nobody"`, `(?s)On the token:.*alice`},
	{"request alice --key-type foo $P", 2, `"foo"`, `rsa2048, rsa3072`},
	{"request alice --subject foo $P", 2, `"foo" is not a known type of name`, `CN=Alice,O=Example`},
	{"request alice --san ip:foo $P", 2, `"foo" is not an IP address`, `ip:192\.0\.2\.1`},
	{"request alice --same-key --label x $P", 2, `--same-key makes no new key`, seeHelp},
	{"request", 2, `what the certificate is for`, `--subject "CN=…"`},
	{"request alice -o FILE/directory/ $P --dry-run", 0, `would be requested`, `Nothing was done`},
	{"status --dir FILE/nowhere $P", 1, `No such directory`, `p11bridge export --all --dir FILE/nowhere`},
	{"status --dir FILE/text.txt $P", 1, `FILE/text\.txt is a file`, `path of a directory`},
	{"diagnose --html FILE/bob $P", 0, `FILE/bob does not end in \.html, by which browsers`, `FILE/bob\.html does`},
	{"diagnose --from FILE/text.txt", 1, `not JSON, or cut off`, `p11bridge snapshot -o FILE`},
	{"diagnose --from FILE/other.json", 1, `not a p11bridge snapshot`, `p11bridge snapshot -o FILE`},
	{"diagnose --from FILE/nowhere.json", 1, `no such file`, `Check the path`},
	{"list --trace FILE/directory $P", 1, `is a directory, a FIFO or a device`, `written to a file`},
	{"demo --dir FILE/text.txt", 1, `FILE/text\.txt is a file`, `path of a directory`},
	{"demo --dir FILE/", 1, `is not empty`, `new or an empty directory`},
	{"list --module FILE/text.txt", 1, `is not a shared library`, `ends in \.so`},
	{"list --module /usr/lib/x86_64-linux-gnu/libc.so.6", 1, `not a PKCS#11 module`, `token vendor's PKCS#11 library`},
	{"list --nss-db FILE/text.txt", 1, `no certificate database .* FILE/text\.txt`, `about:profiles`},
	{"list pkcs11:object $P", 2, `an attribute has no value`, `pkcs11:token=LABEL;object=NAME`},
	{"list sha256:0000000000 $P", 1, `No object on the token has the name`, `sha256:FINGERPRINT`},
	{"completion", 2, `SHELL is missing: bash, zsh, fish, powershell`, `See: p11bridge completion --help`},
	{"completion csh", 2, `no completion for "csh"`, `bash, zsh, fish, powershell`},
	{"completion bsh", 2, `no completion for "bsh"`, `Did you mean: bash`},
}

// TestWrongFiles names them all. The commands that may write run one after the other, since they share a token.
func TestWrongFiles(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `token "demo"
label="alice" id=01 key=p256 policy=wrappable certificate=valid
label="bob" id=02 key=p256 policy=wrappable certificate=valid
label="paul" id=03 key=p256 policy=wrappable
label="alone" id=04 key=p256 certificate=valid nokey
`)
	for name, content := range map[string]string{"empty.txt": "", "text.txt": "Lorem ipsum\n", "pin.txt": "47467850\n", "other.txt": "99999999\n", "other.json": `{"schema":"p11bridge.list/1","tokens":[]}`} {
		write(t, p.directory, name, []byte(content))
	}
	if r := p11bridge(t, p.environment, p.export("alice", "--iterations", "1000")...); r.code != 0 {
		t.Fatal(r.stderr)
	}
	mustForeign(t, p.directory, "sh", "-c", `mv alice.pfx good.pfx && head -c 300 good.pfx > damaged.pfx && ln -s good.pfx link.pfx && ln -s nowhere dangling.pfx && mkdir directory`)
	mustForeign(t, p.directory, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "stranger.pem", "-subj", "/CN=stranger", "-days", "30")
	mustForeign(t, p.directory, "cp", "stranger.pem", "cert.pem")
	for _, row := range wrongFiles {
		t.Run(row.args, func(t *testing.T) { row.run(t, p) })
	}
	entries, err := os.ReadDir(p.path("directory"))
	if err != nil || len(entries) > 0 {
		t.Errorf("%v %v", entries, err)
	}
}

// TestProposedNames writes into a directory what every command that writes has to write.
func TestProposedNames(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "token \"demo\"\nlabel=\"alice\" id=01 key=p256 policy=wrappable certificate=valid\n")
	mustForeign(t, p.directory, "mkdir", "out")
	for _, row := range []struct{ args, name string }{
		{"export alice -o FILE/out --iterations 1000 $P $W", "alice.pfx"},
		{"export alice -o FILE/out/ --certificate-only $P", "alice.cer"},
		{"request alice -o FILE/out --same-key $P", "alice.csr"},
		{"request --subject CN=new --key-type p256 -o FILE/out $P", "request.csr"},
		{"snapshot -o FILE/out $P", "p11bridge-20*.json"},
		{"diagnose --html FILE/out $P", "diagnosis.html"},
		{"doctor --html FILE/out", "doctor.html"},
	} {
		r := wrongInput{args: row.args, cause: strings.TrimSuffix(strings.SplitAfter(row.name, "*")[0], "*")}.run(t, p)
		found, err := filepath.Glob(p.path("out/" + row.name))
		if err != nil || len(found) != 1 {
			t.Errorf("%s wrote %q (%v)\n%s", row.args, found, err, r.stderr)
		}
	}
}

// TestErrorDocuments wants a code, and candidates where names were offered, of what is typed wrong with --json.
func TestErrorDocuments(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "token \"demo\"\nlabel=\"alice\" id=01 key=p256 policy=wrappable certificate=valid\n")
	for _, row := range []struct{ args, code, candidate string }{
		{"export alcie -o a.pfx $P $W --json", "object-not-found", "alice"},
		{"lst --json=true", "usage.unknown-command", "list"},
		{"export alice --nope --json", "usage.flag-unknown", ""},
		{"completion csh --json", "usage.shell", ""},
		{"verify FILE/passwrd.txt --json", "input", ""},
	} {
		r := wrongInput{args: row.args, exit: map[bool]int{true: 2, false: 1}[row.code[:5] == "usage"], cause: `p11bridge\.error/1`, remedy: `"code": "` + row.code + `"`}.run(t, p)
		var document struct{ Candidates []string }
		if err := json.Unmarshal([]byte(r.stdout), &document); err != nil {
			t.Errorf("%s: %v", row.args, err)
		}
		if row.candidate != "" && (len(document.Candidates) == 0 || document.Candidates[0] != row.candidate) {
			t.Errorf("%s offers %q", row.args, document.Candidates)
		}
	}
}
