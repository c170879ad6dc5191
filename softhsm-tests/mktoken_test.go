package softhsmtests

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"p11bridge/bridge/demo"
	"p11bridge/token"
)

// testPIN is the user PIN of every token here, testPassword the password of most files. They are words that stand nowhere
// else, so that their absence can be shown.
const (
	testPIN      = "Zauberlehrling-4711"
	testPassword = "Sturm und Drang 1774"
)

// tokenSpecimens is one token of a specimen file.
type tokenSpecimens struct {
	label     string
	specimens []demo.Specimen
}

var policies = map[string]token.Policy{
	"locked": demo.Locked, "wrappable": demo.Wrappable, "readable": demo.Readable, "held": demo.OpenButHeld,
	"trusted": {Sensitive: true, Extractable: true, WrapWithTrusted: true},
}

// makeToken is the command mktoken SPECIMENS [DIR]: SoftHSM2 tokens in DIR, which is "token" by default, with what the
// file SPECIMENS lists; "-" stands for no token at all, "everything" for the specimens of p11bridge demo. It is a process
// of its own because SoftHSM2 reads its configuration once in a process.
//
// A line of the file is a token or a specimen:
//
//	token "label"
//	label="alice" id=01 key=rsa2048 policy=wrappable certificate=valid imported
//
// Texts are quoted as in Go, so that any byte can be written. policy is locked, wrappable, readable, held or trusted. The
// words imported, reused, nokey, secret and data stand for the fields of demo.Specimen.
func makeToken() int {
	err := func() error {
		if len(os.Args) < 2 {
			return fmt.Errorf("usage: mktoken SPECIMENS [DIR]")
		}
		directory := "token"
		if len(os.Args) > 2 {
			directory = os.Args[2]
		}
		tokens, err := readSpecimens(os.Args[1])
		if err != nil {
			return err
		}
		place, err := demo.NewPlace(directory, testPIN)
		if err != nil {
			return err
		}
		if err := os.Setenv("SOFTHSM2_CONF", place.Configuration()); err != nil {
			return err
		}
		for _, t := range tokens {
			if err := place.AddToken(context.Background(), nil, t.label, t.specimens); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mktoken:", err)
		return 1
	}
	return 0
}

func readSpecimens(path string) ([]tokenSpecimens, error) {
	switch path {
	case "-":
		return nil, nil
	case "everything":
		return []tokenSpecimens{{"demo", demo.Everything()}}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var tokens []tokenSpecimens
	scanner := bufio.NewScanner(file)
	for number := 1; scanner.Scan(); number++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if quoted, ok := strings.CutPrefix(line, "token "); ok {
			label, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: the token's label is not quoted", path, number)
			}
			tokens = append(tokens, tokenSpecimens{label: label})
			continue
		}
		specimen, err := parseSpecimen(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, number, err)
		}
		if len(tokens) == 0 {
			tokens = append(tokens, tokenSpecimens{label: "test"})
		}
		last := &tokens[len(tokens)-1]
		last.specimens = append(last.specimens, specimen)
	}
	return tokens, scanner.Err()
}

func parseSpecimen(line string) (s demo.Specimen, err error) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		end := strings.IndexAny(line, "= ")
		if end < 0 {
			end = len(line)
		}
		name, value := line[:end], ""
		line = line[end:]
		if rest, ok := strings.CutPrefix(line, "="); ok {
			if quoted, err := strconv.QuotedPrefix(rest); err == nil {
				value, line = quoted, rest[len(quoted):]
				if value, err = strconv.Unquote(quoted); err != nil {
					return s, err
				}
			} else {
				value, line, _ = strings.Cut(rest, " ")
			}
		}
		if err := setField(&s, name, value); err != nil {
			return s, err
		}
	}
	return s, nil
}

func setField(s *demo.Specimen, name, value string) (err error) {
	switch name {
	case "label":
		s.Label = value
	case "id":
		s.ID, err = hex.DecodeString(value)
	case "key":
		s.Key = value
	case "certificate":
		s.Certificate = value
	case "policy":
		policy, known := policies[value]
		if !known {
			return fmt.Errorf("unknown policy %q", value)
		}
		s.Policy = policy
	case "imported":
		s.Imported = true
	case "reused":
		s.Reused = true
	case "nokey":
		s.NoPrivateKey = true
	case "secret":
		s.Secret = true
	case "data":
		s.Data = true
	default:
		return fmt.Errorf("unknown field %q", name)
	}
	return err
}

// templates are the tokens that were made, by what they hold. SoftHSM2 keeps a token in plain files, so a copy is a token that
// nobody else touches, and takes no time to generate its keys.
var templates struct {
	sync.Mutex
	made map[string]func() (string, error) // gives the directory
}

// templateToken makes the token of some specimens, once and when it is first asked for.
func templateToken(specimens string) (string, error) {
	text := specimens
	if specimens != "everything" {
		content, err := os.ReadFile(specimens)
		if err != nil {
			return "", err
		}
		text = string(content)
	}
	templates.Lock()
	if templates.made == nil {
		templates.made = map[string]func() (string, error){}
	}
	template := templates.made[text]
	if template == nil {
		template = sync.OnceValues(func() (string, error) {
			directory, err := kept("token "+text, func(directory string) error {
				if out, err := exec.Command("mktoken", specimens, filepath.Join(directory, "token")).CombinedOutput(); err != nil {
					return fmt.Errorf("mktoken: %w\n%s", err, out)
				}
				return nil
			})
			return filepath.Join(directory, "token"), err
		})
		templates.made[text] = template
	}
	templates.Unlock()
	return template()
}

func runMktoken(specimens, directory string) error {
	template, err := templateToken(specimens)
	if err != nil {
		return err
	}
	return copyToken(template, directory)
}

// madeAt finds the directory of a token in its configuration.
var madeAt = regexp.MustCompile(`(?m)^directories\.tokendir = (.*)/[^/\n]+$`)

// copyToken gives a token a second directory and the configuration that names it.
func copyToken(from, to string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(to, "pin.txt"), 0o600); err != nil { // CopyFS widens it
		return err
	}
	configuration := filepath.Join(to, "softhsm2.conf")
	text, err := os.ReadFile(configuration)
	if err != nil {
		return err
	}
	made := madeAt.FindSubmatch(text) // it may have been moved since
	if made == nil {
		return fmt.Errorf("%s names no directory:\n%s", configuration, text)
	}
	return os.WriteFile(configuration, bytes.ReplaceAll(text, made[1], []byte(to)), 0o600)
}
