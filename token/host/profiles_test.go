package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// makeDatabase makes what looks like a database to those who do not open it.
func makeDatabase(t testing.TB, folder string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{certificates9, keys4} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestProfilePlaces finds a profile in every place, and none twice.
func TestProfilePlaces(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	if found := FindProfiles(); len(found) != 0 {
		t.Fatalf("in an empty folder: %v", found)
	}
	for _, place := range profilePlaces {
		folder := filepath.Join(home, place.path)
		if place.single {
			makeDatabase(t, folder)
			continue
		}
		makeDatabase(t, filepath.Join(folder, "p"))
		if err := os.WriteFile(filepath.Join(folder, profilesFile), []byte("[Profile0]\nName=p\nPath=p\nIsRelative=1\n[Profile1]\nName=again\nPath=p\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found := FindProfiles()
	if len(found) != len(profilePlaces) {
		t.Fatalf("%d profiles in %d places: %v", len(found), len(profilePlaces), found)
	}
	names := labels(found)
	for i, name := range names {
		if len(name) > maxLabel || slices.Index(names, name) != i {
			t.Errorf("the label %q", name)
		}
		if profile, is := ProfileOf(name); !is || profile != found[i] {
			t.Errorf("%q is of %v instead of %v", name, profile, found[i])
		}
	}
	if names[0] != "Firefox, profile p" {
		t.Errorf("the first label is %q", names[0])
	}
}

// TestFoundIsReadOnly opens no profile for writing that nobody named, together with others or alone.
func TestFoundIsReadOnly(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	makeDatabase(t, filepath.Join(home, ".pki/nssdb"))
	libraries := ProfileLibraries()
	if len(libraries) != 1 {
		t.Fatalf("%d libraries; libnss3 has to be installed", len(libraries))
	}
	together, _ := Together(libraries)
	for _, parameters := range []string{libraries[0].InitString, together.InitString} {
		if !strings.Contains(parameters, "flags=readOnly]") || !strings.Contains(parameters, "tokenDescription='Chromium'") {
			t.Errorf("%s", parameters)
		}
	}
}

// TestLabels keeps labels short, whole and different.
func TestLabels(t *testing.T) {
	rows := []struct{ program, name, want string }{
		{"Firefox", "default-release", "Firefox, profile default-release"},
		{"Thunderbird", "default-release", "Thunderbird, default-release"},
		{"Chromium", "", "Chromium"},
		{"Firefox", strings.Repeat("ñ", 20), "Firefox, " + strings.Repeat("ñ", 11)},
		{"Firefox", strings.Repeat("ñ", 20), "Firefox, " + strings.Repeat("ñ", 10) + " 02"},
	}
	var profiles []Profile
	for _, row := range rows {
		profiles = append(profiles, Profile{Program: row.program, Name: row.name})
	}
	for i, label := range labels(profiles) {
		if label != rows[i].want {
			t.Errorf("%q, not %q", label, rows[i].want)
		}
	}
}

// TestNSSTokens holds the string that softokn reads to what NSS's parser makes of it: each bracket takes one backslash away.
func TestNSSTokens(t *testing.T) {
	directory := `/a ]'>\ b' flags=`
	parameters := nssTokens([]Profile{{Directory: directory}}, []string{`l'>]`}, 0)
	unescape := func(text, end string) (inner, rest string) {
		var out strings.Builder
		for i := 0; i < len(text); i++ {
			switch {
			case text[i] == '\\':
				i++
				out.WriteByte(text[i])
			case string(text[i]) == end:
				return out.String(), text[i+1:]
			default:
				out.WriteByte(text[i])
			}
		}
		t.Fatalf("no end in %s", text)
		return "", ""
	}
	tokens, _ := unescape(strings.TrimPrefix(parameters, "tokens=<"), ">")
	one, _ := unescape(strings.TrimPrefix(tokens, "0x4=["), "]")
	got, rest := unescape(strings.TrimPrefix(one, "configdir='"), "'")
	if got != "sql:"+directory || !strings.HasSuffix(rest, "flags=readOnly") {
		t.Errorf("the directory %q, then %q", got, rest)
	}
}

// FuzzProfiles reads whatever may stand in a profiles.ini. No profile that is called relative leaves its folder, and no name
// controls a terminal.
func FuzzProfiles(f *testing.F) {
	f.Add("[Profile0]\nName=default\nIsRelative=1\nPath=abc.default\n")
	f.Add("[Profile0]\r\nName=x\r\nIsRelative=0\r\nPath=/home/u/p\r\n[Install1]\nDefault=abc\n")
	f.Add("[Profile0]\nPath=../../etc\n[Profile1]\nPath=a\x00b\n")
	f.Add("[Profile\nName=\x1b[2J\u202e\nPath=p\n=\n==\n[")
	f.Add(strings.Repeat("[Profile0]\nPath=p\n", 5000))
	f.Add(strings.Repeat("x", maxProfilesFile+1))
	const folder = "/home/u/.mozilla/firefox"
	f.Fuzz(func(t *testing.T, text string) {
		found := parseProfiles(strings.NewReader(text), folder, "Firefox")
		if len(found) > maxProfiles {
			t.Fatalf("%d profiles", len(found))
		}
		for _, profile := range found {
			inside := profile.Directory == folder || strings.HasPrefix(profile.Directory, folder+"/")
			if !filepath.IsAbs(profile.Directory) || filepath.Clean(profile.Directory) != profile.Directory || !inside && !strings.Contains(text, "IsRelative") {
				t.Fatalf("the folder %q", profile.Directory)
			}
			for _, r := range profile.Name {
				if !unicode.IsPrint(r) {
					t.Fatalf("the name %q", profile.Name)
				}
			}
			if label := labels([]Profile{profile})[0]; len(label) > maxLabel || label == "" {
				t.Fatalf("the label %q", label)
			}
		}
	})
}

// TestSplitLabel takes apart what label puts together, and nothing else.
func TestSplitLabel(t *testing.T) {
	for _, row := range []struct {
		label, program, name string
		ok                   bool
	}{
		{"Firefox, profile default-release", "Firefox", "default-release", true}, {"NSS, profile one", "NSS", "one", true},
		{"Firefox, default-release-of-somebody", "", "", false}, {"Chromium", "", "", false}, {"Firefox, profile ", "", "", false},
	} {
		if program, name, ok := SplitLabel(row.label); ok != row.ok || ok && (program != row.program || name != row.name) {
			t.Errorf("%s: %q, %q, %v", row.label, program, name, ok)
		}
	}
	if _, _, ok := SplitLabel("My card, profile one"); ok {
		t.Error("a card's label is taken apart")
	}
}
