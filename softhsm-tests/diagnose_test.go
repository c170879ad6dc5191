package softhsmtests

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// diagnosed is a token that is asked live and by its snapshot.
type diagnosed struct {
	environment []string
	flags       []string // that name the token and its PIN
	directory   string
}

func (d *diagnosed) run(t *testing.T, command string, args ...string) *result {
	t.Helper()
	return p11bridge(t, d.environment, append(append([]string{command, "--json"}, d.flags...), args...)...)
}

func (d *diagnosed) file(name string) string { return filepath.Join(d.directory, name) }

// snapshot takes one and gives its text.
func (d *diagnosed) snapshot(t *testing.T, args ...string) string {
	t.Helper()
	file := []string{"snapshot", "-o", d.file("snapshot.json"), "--force"}
	r := p11bridge(t, d.environment, slices.Concat(file, d.flags, args)...)
	if r.code != 0 {
		t.Fatalf("snapshot: exit code %d\n%s", r.code, r.stderr)
	}
	text, err := os.ReadFile(d.file("snapshot.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate("snapshot", string(text)); err != nil {
		t.Error(err)
	}
	return string(text)
}

// fromSnapshot is the diagnosis of the last snapshot, on a machine that has neither token nor module nor PIN.
func (d *diagnosed) fromSnapshot(t *testing.T, args ...string) *result {
	t.Helper()
	r := p11bridge(t, []string{"P11BRIDGE_MODULE=/nowhere.so", "SOFTHSM2_CONF=/nowhere"}, append([]string{"diagnose", "--json", "--from", d.file("snapshot.json")}, args...)...)
	if r.code != codeOfDiagnosis(r) {
		t.Fatalf("diagnose --from: exit code %d\n%s", r.code, r.stderr)
	}
	return r
}

// codeOfDiagnosis is 1 where an object could not be read, since nobody knows what it is.
func codeOfDiagnosis(r *result) int {
	for _, read := range r.document.Tokens {
		if slices.Contains(codesOf(read.Reasons), "object-unreadable") {
			return 1
		}
	}
	return 0
}

// same wants the same bytes from the token and from its snapshot, and gives them.
func (d *diagnosed) same(t *testing.T, args ...string) *result {
	t.Helper()
	live := d.run(t, "diagnose", args...)
	if live.code != codeOfDiagnosis(live) {
		t.Fatalf("diagnose: exit code %d\n%s", live.code, live.stderr)
	}
	d.snapshot(t, args...)
	if from := d.fromSnapshot(t); live.stdout != from.stdout {
		t.Errorf("the token says (-) and its snapshot (+):\n%s", cmp.Diff(live.stdout, from.stdout))
	}
	if len(live.document.Tokens) == 0 {
		t.Error("nothing was diagnosed")
	}
	return live
}

func (p *place) diagnosed(flags ...string) *diagnosed {
	return &diagnosed{environment: p.environment, flags: append([]string{"--pin-source", p.pin}, flags...), directory: p.directory}
}

// TestSnapshotSaysTheSame compares the diagnosis of real tokens with that of their snapshots, byte for byte.
func TestSnapshotSaysTheSame(t *testing.T) {
	t.Parallel()
	t.Run("everything", func(t *testing.T) {
		t.Parallel()
		d := everything(t)
		if r := d.same(t); len(r.document.Tokens[0].Identities) < 20 {
			t.Errorf("only %d identities", len(r.document.Tokens[0].Identities))
		}
		r := d.same(t, "--no-login")
		if codes := codesOf(r.document.Tokens[0].Reasons); !slices.Contains(codes, "keys-hidden-until-login") {
			t.Errorf("without a login the reasons are %q", codes)
		}
		one := d.run(t, "diagnose", "nina")
		d.snapshot(t)
		if from := d.fromSnapshot(t, "nina"); one.stdout != from.stdout {
			t.Errorf("one identity:\n%s", cmp.Diff(one.stdout, from.stdout))
		}
	})
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		r := newPlace(t, `token "empty"`).diagnosed().same(t)
		if !strings.Contains(r.stdout, `"identities": []`) || !strings.Contains(r.stdout, `"diagnoses": []`) {
			t.Error(r.stdout)
		}
	})
	t.Run("hostile", func(t *testing.T) {
		t.Parallel()
		r := newPlace(t, hostileSpecimens).diagnosed().same(t)
		if err := checkPrintable(r.stdout); err != nil {
			t.Error(err)
		}
	})
	t.Run("two tokens", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, "token \"one\"\nlabel=\"a\" id=01 key=p256 policy=locked certificate=valid\ntoken \"two\"\nlabel=\"b\" id=01 key=p256 policy=wrappable certificate=valid\n")
		d := &diagnosed{environment: p.environment, directory: p.directory}
		if r := d.same(t); len(r.document.Tokens) != 2 {
			t.Errorf("%d tokens", len(r.document.Tokens))
		}
		live := d.run(t, "diagnose", "--token", "two")
		if from := d.fromSnapshot(t, "--token", "two"); live.stdout != from.stdout {
			t.Errorf("--token:\n%s", cmp.Diff(live.stdout, from.stdout))
		}
	})
	t.Run("NSS", func(t *testing.T) {
		t.Parallel()
		db := newNSS(t)
		db.certutil(t, "rsa", "rsa", "-g", "2048")
		db.certutil(t, "p256", "ec", "-q", "nistp256")
		d := &diagnosed{flags: []string{"--nss-db", db.database, "--pin-source", "file:" + db.pin}, directory: db.directory}
		d.same(t)
		d.same(t, "--no-login")
	})
}

func everything(t *testing.T) *diagnosed {
	t.Helper()
	d := &diagnosed{directory: t.TempDir()}
	if err := runMktoken("everything", d.file("token")); err != nil {
		t.Fatal(err)
	}
	d.environment = []string{"SOFTHSM2_CONF=" + d.file("token/softhsm2.conf"), "P11BRIDGE_MODULE=" + softHSM(t)}
	d.flags = []string{"--pin-source", "file:" + d.file("token/pin.txt")}
	return d
}

// hostileSpecimens have labels that would control a terminal, run as a script, or name files elsewhere.
const hostileSpecimens = `token "<h1>token\x1b[2J"
label="evil\x1b[2J\x07\u202elabel/../x" id=01 key=p256 policy=wrappable certificate=valid
label="<script>alert(1)</script>" id=02 key=p256 policy=locked certificate=valid
label="\"><img src=x onerror=alert(2)>" id=03 key=p256 policy=wrappable certificate=valid
label="raw\x9b\xff bytes\x00" id=04 key=p256 policy=locked imported
label="'; rm -rf / #$(id)" id=05 key=p256 policy=wrappable certificate=valid
label="</style><style>*{display:none}" id=06 key=p256 policy=wrappable
label="{{.Title}}%s" id=07 key=p256 nokey
label="zero\u200bwidth\u2066isolate\u2028line" id=08 key=p256 nokey certificate=valid
`

// TestSnapshotUnderFaults takes a few of the wrong answers.
func TestSnapshotUnderFaults(t *testing.T) {
	t.Parallel()
	testSnapshotUnderFaults(t, 8)
}

// TestSnapshotUnderFaultsLong takes them all.
func TestSnapshotUnderFaultsLong(t *testing.T) {
	t.Parallel()
	testSnapshotUnderFaults(t, 1)
}

// testSnapshotUnderFaults compares both diagnoses for a module that answers wrongly, attribute by attribute, in one case of
// so many.
func testSnapshotUnderFaults(t *testing.T, every int) {
	t.Helper()
	p := newPlace(t, `token "faulty"
label="rsa" id=01 key=rsa2048 policy=wrappable certificate=valid
label="locked" id=02 key=p256 policy=locked certificate=valid imported
label="readable" id=03 key=p256 policy=readable certificate=valid
label="eduard" id=04 key=ed25519 policy=readable
label="note" data
`)
	d := p.diagnosed("--module", faultyModule(t), "--token", "faulty", "--timeout", "20s")
	var faults []string
	// Every object has a class: one that is not told, or that no specification knows, is a failure, and not in the list.
	attributes := []string{"0x3", "0x11", "0x80", "0x100", "0x102", "0x103", "0x120", "0x129", "0x162", "0x163", "0x164", "0x180", "0x210"}
	for _, fault := range []string{"unsupported", "empty", "unavailable", "garbage"} {
		for _, attribute := range attributes {
			faults = append(faults, fault+":"+attribute)
		}
	}
	faults = append(faults, "short-ulong", "hide-mechanisms", "no-wrap", "cbc-pad", "overlong:0x3", "overlong:0x102", "huge:0x3", "short-ulong,garbage:0x162", "flags:+0x80000 --no-login", "flags:+0x60000 --no-login", "flags:-0x4")
	for i := 0; i < len(faults); i += every {
		fault := faults[i]
		t.Run(fault, func(t *testing.T) {
			under := *d
			fault, more, _ := strings.Cut(fault, " ")
			under.environment = append(slices.Clone(d.environment), "P11FAULT="+fault)
			under.same(t, strings.Fields(more)...)
		})
	}
}

// forms are the ways in which bytes may stand in a text.
func forms(secret []byte) []string {
	list := []string{string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret))}
	for skip := range min(3, len(secret)) { // whatever stands in front of it
		whole := (len(secret) - skip) / 3 * 3
		list = append(list, base64.StdEncoding.EncodeToString(secret[skip:skip+whole]))
	}
	return list
}

// TestSnapshotHoldsNoSecret plants keys, values and a PIN that are known here, and searches for them.
func TestSnapshotHoldsNoSecret(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `token "secrets"`)
	rsaKey, ecKey := newRSA(t), newEC(t, elliptic.P256())
	aes, note := make([]byte, 32), []byte("Wer reitet so spaet durch Nacht und Wind")
	if _, err := rand.Read(aes); err != nil {
		t.Fatal(err)
	}
	private := issue(t, p.directory, "private certificate", newEC(t, elliptic.P256()))
	tool := func(content []byte, kind string, more ...string) {
		t.Helper()
		file := write(t, p.directory, "object", content)
		args := append([]string{"--module", softHSM(t), "--token-label", "secrets", "--login", "--pin", testPIN, "--write-object", file, "--type", kind}, more...)
		if out, err := foreign(p.directory, p.environment, "pkcs11-tool", args...); err != nil {
			t.Fatal(err, out)
		}
	}
	for label, key := range map[string]any{"rsa": rsaKey, "ec": ecKey} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		tool(der, "privkey", "--label", label, "--id", hex.EncodeToString([]byte(label)))
		tool(der, "privkey", "--label", label+" readable", "--id", hex.EncodeToString([]byte(label+"2")), "--extractable")
	}
	tool(aes, "secrkey", "--key-type", "AES:32", "--label", "aes", "--extractable")
	tool(note, "data", "--label", "note", "--application-label", "poem", "--private")
	if out, err := foreign(p.directory, append(p.environment, "GNUTLS_PIN="+testPIN), "p11tool", "--provider", softHSM(t), "--batch", "--login", "--write",
		"--load-certificate", private.certificatePEM, "--label", "withheld", "--mark-private", "pkcs11:token=secrets"); err != nil {
		t.Fatal(err, out)
	}

	text := p.diagnosed().snapshot(t)
	for _, label := range []string{"rsa", "ec readable", "aes", "note", "withheld"} {
		if !strings.Contains(text, `"CKA_LABEL": "`+label+`"`) {
			t.Errorf("%s is not in the snapshot", label)
		}
	}
	if !strings.Contains(text, hex.EncodeToString(rsaKey.N.Bytes())) {
		t.Error("the search would find nothing: even the modulus is missing")
	}
	secrets := map[string][]byte{
		"the PIN": []byte(testPIN), "the AES key": aes, "the data object's value": note, "RSA d": rsaKey.D.Bytes(), "RSA p": rsaKey.Primes[0].Bytes(), "RSA q": rsaKey.Primes[1].Bytes(),
		"RSA dP": rsaKey.Precomputed.Dp.Bytes(), "RSA dQ": rsaKey.Precomputed.Dq.Bytes(), "RSA qInv": rsaKey.Precomputed.Qinv.Bytes(), "EC d": scalar(t, ecKey),
		"the private certificate": private.leaf.Raw, "its subject": []byte("private certificate"), "its key": private.leaf.RawSubjectPublicKeyInfo,
	}
	for name, secret := range secrets {
		for _, form := range forms(secret) {
			if strings.Contains(text, form) {
				t.Errorf("%s is in the snapshot, as %.40q", name, form)
			}
		}
	}
	for name, number := range map[string]fmt.Stringer{"RSA d": rsaKey.D, "RSA p": rsaKey.Primes[0]} {
		if strings.Contains(text, number.String()) {
			t.Errorf("%s is in the snapshot, as a number", name)
		}
	}
	if strings.Contains(text, `"CKA_VALUE"`) {
		t.Error("a CKA_VALUE is in the snapshot")
	}
	info, err := os.Stat(filepath.Join(p.directory, "snapshot.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func scalar(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	b, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// redactable is a token on which everything that leads to a person can be found again: long CKA_IDs, keys of every kind, pairs that
// are linked by public key, by signature, by CKA_ID and not at all, and certificates of every age.
const redactable = `token "Personal token"
label="rsa" id=a1b2c3d4e5f60718 key=rsa2048 policy=wrappable certificate=valid
label="locked" id=b1b2c3d4e5f60719 key=rsa2048 policy=locked certificate=expired
label="ec" id=c1b2c3d4e5f6071a key=p256 policy=wrappable certificate=future imported
label="eduard" id=d1b2c3d4e5f6071b key=ed25519 policy=readable certificate=valid
label="brainpool" id=e1b2c3d4e5f6071c certificate=brainpoolP256r1 nokey
label="fresh" id=e1b2c3d4e5f6071e key=p256 policy=locked certificate=recent imported
label="twin" id=a1b2c3d4e5f60718 key=p256 policy=locked certificate=valid
label="alone" id=f1b2c3d4e5f6071d key=p384 policy=locked certificate=valid nokey
`

// TestRedactedSnapshot wants nothing in it that leads to a person, what was equal equal, and the same codes for every identity.
func TestRedactedSnapshot(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]*diagnosed{"everything": everything(t), "long CKA_IDs": newPlace(t, redactable).diagnosed()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := d.snapshot(t)
			live := d.fromSnapshot(t)
			redacted := d.snapshot(t, "--redact")
			from := d.fromSnapshot(t)
			names := append(namesIn(t, plain), identifyingIn(t, plain)...)
			if len(names) < 60 {
				t.Fatalf("only %d names are searched for: %q", len(names), names)
			}
			for _, name := range names {
				if strings.Contains(redacted, name) {
					t.Errorf("%q is left", name)
				}
			}
			sameDiagnosis(t, live.document.Tokens[0].Identities, from.document.Tokens[0].Identities)
		})
	}
}

// sameDiagnosis wants the same verdict for each identity, and what was equal equal.
func sameDiagnosis(t *testing.T, original, after []statedIdentity) {
	t.Helper()
	if len(original) != len(after) {
		t.Fatalf("%d identities have become %d", len(original), len(after))
	}
	labels, ids := map[string]string{}, map[string]string{}
	for i, was := range original {
		is := after[i]
		for _, pair := range []struct {
			names   map[string]string
			was, is string
		}{{labels, was.Label, is.Label}, {ids, was.ID, is.ID}} {
			if known, met := pair.names[pair.was]; met && known != pair.is {
				t.Errorf("%q is called %q and %q", pair.was, known, pair.is)
			}
			pair.names[pair.was] = pair.is
		}
		for _, reason := range slices.Concat(was.Verdict.Reasons, is.Verdict.Reasons) { // stand-ins are what these are
			for _, name := range []string{"CKA_ID", "not_before", "not_after"} {
				delete(reason.Evidence, name)
			}
		}
		if difference := cmp.Diff(was.Verdict, is.Verdict); difference != "" {
			t.Errorf("the verdict on %q is another one:\n%s", was.Label, difference)
		}
		if was.LinkedBy != is.LinkedBy || (was.Certificate == nil) != (is.Certificate == nil) || (was.ID == "") != (is.ID == "") || was.ID != "" && was.ID == is.ID {
			t.Errorf("%q has other links, or the same CKA_ID", was.Label)
		}
	}
	for _, names := range []map[string]string{labels, ids} {
		reverse := map[string]string{}
		for was, is := range names {
			if other, taken := reverse[is]; taken {
				t.Errorf("%q and %q are both called %q", was, other, is)
			}
			reverse[is] = was
		}
	}
}

// identifyingIn lists what else leads to a person: parts of public keys, CKA_IDs and dates, in each form that a document could have
// them in.
func identifyingIn(t *testing.T, snapshot string) []string {
	t.Helper()
	var content struct {
		Created string
		Tokens  []struct {
			Objects []struct {
				Attributes  map[string]any
				Certificate struct {
					NotBefore string                `json:"not_before"`
					NotAfter  string                `json:"not_after"`
					PublicKey struct{ SPKI []byte } `json:"public_key"`
				}
				Proven  []byte   `json:"proven_public_key"`
				Refuted [][]byte `json:"refuted_public_keys"`
			}
		}
	}
	if err := json.Unmarshal([]byte(snapshot), &content); err != nil {
		t.Fatal(err)
	}
	var found []string
	octets := func(value []byte) {
		const distinctive = 8
		if len(value) < distinctive {
			return
		}
		part := value[len(value)-min(len(value), 24):] // the end of an SPKI is key, and so is that of every number
		found = append(found, hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)))
		for shift := range 3 { // wherever it stands in what is base64
			text := base64.StdEncoding.EncodeToString(part[shift : shift+(len(part)-shift)/3*3])
			found = append(found, text, strings.NewReplacer("+", "-", "/", "_").Replace(text))
		}
		escaped, err := json.Marshal(string(part))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, string(escaped))
	}
	date := func(text string) {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return
		}
		if clock := at.UTC(); clock.Day() != 1 { // a month's first day is what dates are rounded to
			found = append(found, text, clock.Format("060102150405Z"), strconv.FormatInt(clock.Unix(), 10))
			if day := clock.Format(time.DateOnly); !strings.HasPrefix(content.Created, day) {
				found = append(found, day)
			}
		}
	}
	for _, token := range content.Tokens {
		for _, o := range token.Objects {
			for _, name := range []string{"CKA_ID", "CKA_MODULUS", "CKA_EC_POINT", "CKA_PUBLIC_KEY_INFO"} {
				if text, is := o.Attributes[name].(string); is {
					value, err := hex.DecodeString(text)
					if err != nil {
						t.Fatal(err)
					}
					octets(value)
				}
			}
			octets(o.Certificate.PublicKey.SPKI)
			octets(o.Proven)
			for _, refuted := range o.Refuted {
				octets(refuted)
			}
			date(o.Certificate.NotBefore)
			date(o.Certificate.NotAfter)
		}
	}
	return found
}

// namesIn lists all that a redacted snapshot may not hold.
func namesIn(t *testing.T, snapshot string) []string {
	t.Helper()
	var content struct {
		Tokens []struct {
			Token   struct{ Label, Serial string }
			Objects []struct {
				Attributes  map[string]any
				Certificate struct{ Subject, Issuer, Serial, SHA256 string }
			}
		}
	}
	if err := json.Unmarshal([]byte(snapshot), &content); err != nil {
		t.Fatal(err)
	}
	var names []string
	add := func(list ...string) {
		for _, name := range list {
			for _, form := range []string{name, strings.TrimPrefix(name, "CN=")} {
				escaped, err := json.Marshal(form)
				if err != nil {
					t.Fatal(err)
				}
				if form = strings.Trim(string(escaped), `"`); len(form) > 3 && !slices.Contains(names, form) {
					names = append(names, form, hex.EncodeToString([]byte(form)))
				}
			}
		}
	}
	for _, token := range content.Tokens {
		add(`"`+token.Token.Label+`"`, token.Token.Serial)
		for _, o := range token.Objects {
			for _, name := range []string{"CKA_LABEL", "CKA_APPLICATION"} {
				if text, ok := o.Attributes[name].(string); ok {
					add(text)
				}
			}
			add(o.Certificate.Subject, o.Certificate.Issuer, o.Certificate.Serial, o.Certificate.SHA256)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { // names of curves, too
		return slices.Contains([]string{"note", "brainpool", "secp256k1"}, name)
	})
}

// TestBadSnapshots gives diagnose --from what is no snapshot, or is damaged. Each is told in its own words.
func TestBadSnapshots(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "label=\"a\" id=01 key=p256 policy=locked certificate=valid\n")
	d := p.diagnosed()
	good := d.snapshot(t)
	replaced := func(pairs ...string) string {
		text := strings.NewReplacer(pairs...).Replace(good)
		if text == good {
			t.Fatalf("nothing of %q is in the snapshot", pairs)
		}
		return text
	}
	changed := func(change func(document, token map[string]any)) string {
		var document map[string]any
		if err := json.Unmarshal([]byte(good), &document); err != nil {
			t.Fatal(err)
		}
		change(document, document["tokens"].([]any)[0].(map[string]any))
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const damaged, other, otherForm = "is not a snapshot that can be used", "it is no p11bridge snapshot", "a part of it has an"
	cases := []struct{ name, text, want string }{
		{"empty", "", "cut off"},
		{"text", "Lorem ipsum", "not JSON"},
		{"binary", "\x00\xff\x30\x82", "not JSON"},
		{"null", "null", other},
		{"a list", "[]", damaged},
		{"a word", `"p11bridge.snapshot/1"`, damaged},
		{"an object", "{}", other},
		{"another document", `{"schema":"p11bridge.list/1","tokens":[]}`, other},
		{"no version", `{"schema":"p11bridge.snapshot/"}`, "p11bridge"},
		{"a newer schema", replaced("p11bridge.snapshot/1", "p11bridge.snapshot/2"), "newer p11bridge"},
		{"a much newer schema with other members", `{"schema":"p11bridge.snapshot/17","colour":"red"}`, "newer p11bridge"},
		{"a schema that is a number", `{"schema":1}`, damaged},
		{"an unknown attribute", replaced("CKA_SENSITIVE", "CKA_SENSITIVITY"), otherForm},
		{"an unknown member", changed(func(document, _ map[string]any) { document["colour"] = "red" }), otherForm},
		{"an unknown member of a token", changed(func(_, token map[string]any) { token["colour"] = "red" }), otherForm},
		{"an unknown class", replaced("CKO_PRIVATE_KEY", "CKO_PRIVATE"), otherForm},
		{"an unknown mechanism", replaced("CKM_AES_CBC_PAD", "CKM_AES_CBC_PADDED"), otherForm},
		{"tokens null", changed(func(document, _ map[string]any) { document["tokens"] = nil }), damaged},
		{"no tokens", changed(func(document, _ map[string]any) { delete(document, "tokens") }), damaged},
		{"a token null", changed(func(document, _ map[string]any) { document["tokens"] = []any{nil} }), damaged},
		{"a token that is a number", changed(func(document, _ map[string]any) { document["tokens"] = []any{1} }), damaged},
		{"an empty token", changed(func(document, _ map[string]any) { document["tokens"] = []any{map[string]any{}} }), damaged},
		{"objects null", changed(func(_, token map[string]any) { token["objects"] = nil }), damaged},
		{"an object null", changed(func(_, token map[string]any) { token["objects"] = []any{nil} }), damaged},
		{"attributes null", changed(func(_, token map[string]any) { token["objects"].([]any)[0].(map[string]any)["attributes"] = nil }), damaged},
		{"an attribute null", replaced(`"CKA_EXTRACTABLE": false`, `"CKA_EXTRACTABLE": null`), damaged},
		{"module null", changed(func(_, token map[string]any) { token["module"] = nil }), damaged},
		{"no token information", changed(func(_, token map[string]any) { delete(token, "token") }), damaged},
		{"mechanisms null", changed(func(_, token map[string]any) { token["mechanisms"] = nil }), damaged},
		{"certificate null", changed(func(_, token map[string]any) {
			for _, o := range token["objects"].([]any) {
				if o := o.(map[string]any); o["certificate"] != nil {
					o["certificate"] = nil
				}
			}
		}), damaged},
		{"a certificate without a key", changed(func(_, token map[string]any) {
			for _, o := range token["objects"].([]any) {
				if c, ok := o.(map[string]any)["certificate"].(map[string]any); ok {
					c["public_key"] = nil
				}
			}
		}), damaged},
		{"no time", changed(func(document, _ map[string]any) { delete(document, "created") }), damaged},
		{"time null", changed(func(document, _ map[string]any) { document["created"] = nil }), damaged},
		{"no time at all", replaced(`"created": "`, `"created": "x`), damaged},
		{"whether somebody logged in is not said", changed(func(_, token map[string]any) { delete(token, "logged_in") }), damaged},
		{"two documents", good + good, "behind its end"},
		{"rubbish behind it", good + "x", damaged},
		{"deep", strings.Repeat(`{"a":`, 20000), damaged},
		{"huge", `{"schema":"p11bridge.snapshot/1","x":"` + strings.Repeat("a", 17<<20) + `"}`, damaged},
	}
	for _, share := range []int{1, 3, 7, 9} {
		cases = append(cases, struct{ name, text, want string }{fmt.Sprintf("cut off after %d0 percent", share), good[:len(good)*share/10], "cut off"})
	}
	cases = append(cases, struct{ name, text, want string }{"without its last bracket", strings.TrimRight(good, "}\n"), "cut off"})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			file := write(t, t.TempDir(), "bad.json", []byte(c.text))
			r := p11bridge(t, nil, "diagnose", "--json", "--from", file)
			said := strings.ReplaceAll(r.stderr, "\n", " ")
			if r.code != 1 || r.document.ExitCode != 1 || r.document.Schema != "p11bridge.error/1" {
				t.Errorf("exit code %d\n%.2000s%s", r.code, r.stdout, r.stderr)
			}
			if !strings.Contains(said, c.want) || !strings.Contains(said, file) || !strings.Contains(said, "p11bridge") {
				t.Errorf("what is said has no %q: %s", c.want, r.stderr)
			}
			for _, jargon := range []string{"goroutine", "panic", "Go struct", "Go value", "json:", "2006-01-02"} {
				if strings.Contains(r.stderr, jargon) {
					t.Errorf("a user is told %q: %s", jargon, r.stderr)
				}
			}
			if len(said) > 1000 {
				t.Errorf("%d bytes are said", len(said))
			}
		})
	}
	for name, file := range map[string]string{"a directory": p.directory, "nothing": p.path("nowhere.json")} {
		r := p11bridge(t, nil, "diagnose", "--from", file)
		if r.code != 1 || !strings.Contains(r.stderr, file) || r.stdout != "" {
			t.Errorf("%s: exit code %d\n%s", name, r.code, r.stderr)
		}
	}
}
