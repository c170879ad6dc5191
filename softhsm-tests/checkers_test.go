package softhsmtests

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"p11bridge/cmd/messages"
)

// checkers are the commands that scripts have besides testscript's own:
//
//	exitcode N program args…     runs the program, which must end with this exit code
//	everything                   a token in $WORK/token with the specimens of p11bridge demo
//	rsakeys FILE [FILE]          FILE is a private RSA key of 2,048 bits in PEM, and the second one another
//	validate NAME FILE           FILE is one JSON document that fits docs/schema/p11bridge.NAME.schema.json
//	json PATH VALUE              the last standard output has this value at PATH: tokens[0].identities[label=alice].id, or
//	                             the length of a list at PATH.len
//	opens [-legacy] PFX PASSWORD openssl opens PFX with the first line of the file PASSWORD, and the key is the certificate's
//	verifies CSR…                openssl verifies the signature of every certificate signing request
//	mode OCTAL FILE              FILE has these permissions
//	nofile GLOB…                 nothing matches
//	[!] contains TEXT FILE…      every FILE has TEXT in it, byte for byte
//	[!] reason CODE FILE         FILE has what a person is told of the reason of this code, in one of the languages
//	printable FILE…              nothing in FILE controls a terminal, reorders text or hides
//	practice FILE                docs/practice.md shows lines of FILE
//	closed TRACE                 every session in the trace was closed, and the module finalised
//
// FILE may be stdout, stderr or ttyout.
func checkers() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exitcode": exitCode,
		"everything": positive(0, func(ts *testscript.TestScript, _ []string) error {
			return runMktoken("everything", ts.MkAbs("token"))
		}),
		"validate": positive(2, func(ts *testscript.TestScript, args []string) error { return validate(args[0], ts.ReadFile(args[1])) }),
		"json": positive(2, func(ts *testscript.TestScript, args []string) error {
			return jsonAt(ts.ReadFile("stdout"), args[0], args[1])
		}),
		"rsakeys":   writeRSAKeys,
		"opens":     opens,
		"verifies":  verifies,
		"mode":      positive(2, fileMode),
		"nofile":    noFile,
		"contains":  contains,
		"printable": printable,
		"reason":    reason,
		"practice":  positive(1, func(ts *testscript.TestScript, args []string) error { return practiceShows(ts.ReadFile(args[0])) }),
		"closed":    positive(1, func(ts *testscript.TestScript, args []string) error { return closed(ts.ReadFile(args[0])) }),
	}
}

// positive is a command without a negation and with a fixed number of arguments.
func positive(n int, check func(*testscript.TestScript, []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != n {
			ts.Fatalf("%d arguments and no '!', please", n)
		}
		ts.Check(check(ts, args))
	}
}

func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode N program args…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := codeOf(ts, args[1:])
	if notStarted(ts, args[1], got) {
		ts.Logf("it did not start")
		got = codeOf(ts, args[1:])
	}
	if got != want {
		ts.Fatalf("exit code %d instead of %d\n[stdout]\n%s[stderr]\n%s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// codeOf runs a program and gives its exit code.
func codeOf(ts *testscript.TestScript, args []string) int {
	var exit *exec.ExitError
	if err := ts.Exec(args[0], args[1:]...); errors.As(err, &exit) {
		return exit.ExitCode()
	} else {
		ts.Check(err)
	}
	return 0
}

// notStarted reports whether wine did not start the program: one start in some thousands ends at once with exit code 1, and says nothing, not even
// what went wrong, as the program does whenever it ends with that. It also happens to the process that does the work: that is wine's
// ERROR_INTERNAL_ERROR, for a process that ended before it had begun.
func notStarted(ts *testscript.TestScript, program string, code int) bool {
	if ts.Getenv("WINEPREFIX") == "" || program != "p11bridge" || code != 1 {
		return false
	}
	said := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	return said == "" || strings.Contains(said, "could not start the process that does the work") && strings.Contains(said, "Internal error")
}

// schemaDirectory is relative to this package, which go test makes the working directory.
const schemaDirectory = "../docs/schema"

func validate(name, text string) error {
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(schemaDirectory, "p11bridge."+name+".schema.json"))
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	var named struct{ Schema string }
	if err := decoder.Decode(&named); err != nil {
		return fmt.Errorf("no JSON document: %w\n%s", err, text)
	}
	if rest := strings.TrimSpace(text[decoder.InputOffset():]); rest != "" {
		return fmt.Errorf("something follows the document: %q", rest)
	}
	if named.Schema != "p11bridge."+name+"/1" {
		return fmt.Errorf("the document names the schema %q", named.Schema)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	if err := schema.Validate(document); err != nil {
		return fmt.Errorf("%w\n%s", err, text)
	}
	return nil
}

var step = regexp.MustCompile(`^([^.\[\]]*)(?:\[([^\]]*)\])?$`)

// jsonAt compares what stands at the path, as JSON or, for a string, as text.
func jsonAt(text, path, want string) error {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return fmt.Errorf("no JSON document: %w\n%s", err, text)
	}
	within := false // brackets, in which a dot is part of a value
	parts := strings.FieldsFunc(path, func(r rune) bool {
		within = r == '[' || within && r != ']'
		return r == '.' && !within
	})
	for _, part := range parts {
		if list, ok := value.([]any); ok && part == "len" {
			value = len(list)
			continue
		}
		match := step.FindStringSubmatch(part)
		if match == nil {
			return fmt.Errorf("the path cannot be read at %q", part)
		}
		if match[1] != "" {
			object, ok := value.(map[string]any)
			if _, has := object[match[1]]; !ok || !has {
				return fmt.Errorf("nothing is at %q of %s:\n%s", match[1], path, text)
			}
			value = object[match[1]]
		}
		if match[2] != "" {
			list, _ := value.([]any)
			if value = element(list, match[2]); value == nil {
				return fmt.Errorf("nothing is at [%s] of %s:\n%s", match[2], path, text)
			}
		}
	}
	got, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if plain, ok := value.(string); string(got) != want && (!ok || plain != want) {
		return fmt.Errorf("%s is %s, not %s", path, got, want)
	}
	return nil
}

// element is the list's element of a number, or the only one that has a string in a field: "3", "label=alice".
func element(list []any, which string) (found any) {
	name, wanted, byField := strings.Cut(which, "=")
	if !byField {
		if i, err := strconv.Atoi(which); err == nil && i < len(list) {
			return list[i]
		}
		return nil
	}
	for _, e := range list {
		if object, ok := e.(map[string]any); ok && object[name] == wanted {
			if found != nil {
				return nil
			}
			found = e
		}
	}
	return found
}

func opens(ts *testscript.TestScript, neg bool, args []string) {
	legacy := len(args) > 0 && args[0] == "-legacy"
	if legacy {
		args = args[1:]
	}
	if neg || len(args) != 2 {
		ts.Fatalf("usage: opens [-legacy] PFX PASSWORD")
	}
	ts.Check(opensslOpens(ts.MkAbs(args[0]), ts.MkAbs(args[1]), legacy))
}

// opensslOpens lets openssl open a PFX and compares, by openssl again, the public key of the private key with the one of
// the certificate. The key never touches the disk.
func opensslOpens(pfx, password string, legacy bool) error {
	read := []string{"pkcs12", "-in", pfx, "-passin", "file:" + password, "-nodes"}
	if legacy {
		read = append(read, "-legacy")
	}
	key, err := openssl("", append(read, "-nocerts")...)
	if err != nil {
		return err
	}
	ofKey, err := openssl(key, "pkey", "-pubout")
	if err != nil {
		return err
	}
	certificate, err := openssl("", append(read, "-nokeys", "-clcerts")...)
	if err != nil {
		return err
	}
	ofCertificate, err := openssl(certificate, "x509", "-noout", "-pubkey")
	if err != nil {
		return err
	}
	if ofKey != ofCertificate || !strings.Contains(ofKey, "PUBLIC KEY") {
		return fmt.Errorf("openssl finds the key\n%sand the certificate of\n%s", ofKey, ofCertificate)
	}
	return nil
}

// verifies reads what openssl prints, wherever its version prints it.
func verifies(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: verifies CSR…")
	}
	for _, csr := range args {
		out, err := exec.Command("openssl", "req", "-in", ts.MkAbs(csr), "-noout", "-verify").CombinedOutput()
		ts.Check(err)
		if !strings.Contains(string(out), "verify OK") {
			ts.Fatalf("openssl says of %s:\n%s", csr, out)
		}
	}
}

func openssl(input string, args ...string) (string, error) {
	command := exec.Command("openssl", args...)
	command.Stdin = strings.NewReader(input)
	var problem strings.Builder
	command.Stderr = &problem
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("openssl %s: %w\n%s", strings.Join(args, " "), err, problem.String())
	}
	return string(out), nil
}

func fileMode(ts *testscript.TestScript, args []string) error {
	want, err := strconv.ParseUint(args[0], 8, 32)
	if err != nil {
		return err
	}
	info, err := os.Lstat(ts.MkAbs(args[1]))
	if err != nil {
		return err
	}
	if info.Mode() != fs.FileMode(want) {
		return fmt.Errorf("%s has the mode %v", args[1], info.Mode())
	}
	return nil
}

func noFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: nofile GLOB…")
	}
	for _, glob := range args {
		found, err := filepath.Glob(ts.MkAbs(glob))
		ts.Check(err)
		if len(found) > 0 {
			ts.Fatalf("there is %q", found)
		}
	}
}

func contains(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: [!] contains TEXT FILE…")
	}
	for _, file := range args[1:] {
		if strings.Contains(ts.ReadFile(file), args[0]) == neg {
			ts.Fatalf("whether %q is in %s: %v", args[0], file, neg)
		}
	}
}

func reason(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] reason CODE FILE")
	}
	if text := ts.ReadFile(args[1]); says(text, args[0]) == neg {
		ts.Fatalf("whether %s tells %s: %v\n%s", args[1], args[0], !neg, text)
	}
}

// says reports whether a text has the words for a reason: its sentence, or the few words of it. Codes are for --verbose and for programs.
func says(text, code string) bool {
	text = onOneLine(text)
	for _, language := range messages.Languages() {
		catalog, err := messages.Load(language)
		if err != nil {
			return false
		}
		for _, id := range messages.IDs("reason." + code + ".") {
			if (strings.HasSuffix(id, ".summary") || strings.HasSuffix(id, ".short")) && strings.Contains(text, onOneLine(catalog.Text(id, nil))) {
				return true
			}
		}
	}
	return false
}

func printable(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: printable FILE…")
	}
	for _, file := range args {
		text := ts.ReadFile(file)
		if text == "" {
			ts.Fatalf("%s is empty", file)
		}
		ts.Check(checkPrintable(text))
	}
}

func checkPrintable(text string) error {
	for i, r := range text {
		_, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 || r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.In(r, unicode.Zl, unicode.Zp)) {
			return fmt.Errorf("%U is in %q", r, text[max(0, i-20):min(len(text), i+20)])
		}
	}
	return nil
}

// closed counts the calls that open and end: a run that fails leaves no session and no initialised module behind.
func closed(trace string) error {
	count := func(pattern string) int { return len(regexp.MustCompile(`(?m)^\S+ `+pattern).FindAllString(trace, -1)) }
	for _, pair := range [][2]string{{"C_Initialize", "C_Finalize"}, {"C_OpenSession", "C_CloseSession"}} {
		if opened, ended := count(pair[0]+" CKR_OK"), count(pair[1]+" CKR_OK"); opened == 0 && pair[0] == "C_Initialize" || opened != ended {
			return fmt.Errorf("%d times %s, %d times %s:\n%s", opened, pair[0], ended, pair[1], trace)
		}
	}
	return nil
}
