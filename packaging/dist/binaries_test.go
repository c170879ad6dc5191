package dist

import (
	"archive/zip"
	"crypto/sha256"
	"debug/elf"
	"debug/pe"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// binaries are the program as it is packaged for each platform, by the platform's name.
func binaries(t *testing.T) map[string]string {
	t.Helper()
	programs, err := filepath.Glob(repository + "/build/stage/*-windows-amd64/p11bridge.exe")
	if err != nil || len(programs) != 1 {
		t.Fatalf("%q, %v", programs, err)
	}
	all := map[string]string{"windows-amd64": programs[0]}
	for _, a := range architectures() {
		all["linux-"+a.deb] = staged(a.deb) + "/bin/p11bridge"
	}
	return all
}

// TestSBOMNamesEveryModule: what each binary says was linked in is in its SBOM, with its version, and in THIRD_PARTY.
func TestSBOMNamesEveryModule(t *testing.T) {
	for platform, program := range binaries(t) {
		var sbom struct {
			BOMFormat  string
			Components []struct{ Name, Version string }
		}
		if err := json.Unmarshal([]byte(read(t, one(t, "*-"+platform+".cdx.json"))), &sbom); err != nil || sbom.BOMFormat != "CycloneDX" {
			t.Fatalf("%q: %v", sbom.BOMFormat, err)
		}
		listed := map[string]bool{}
		for _, component := range sbom.Components {
			listed[component.Name+" "+component.Version] = true
		}
		modules := regexp.MustCompile(`(?m)^\tdep\t(\S+)\t(\S+)`).FindAllStringSubmatch(output(t, "go", "version", "-m", program), -1)
		if len(modules) < 20 {
			t.Fatalf("only %d modules", len(modules))
		}
		licences := read(t, staged("amd64")+"/share/doc/p11bridge/THIRD_PARTY")
		for _, module := range modules {
			name := module[1] + " " + module[2]
			if !listed[name] {
				t.Errorf("the SBOM of %s lacks %s", platform, name)
			}
			if !strings.Contains(licences, "\n"+name+"\n") {
				t.Errorf("THIRD_PARTY lacks %s", name)
			}
		}
	}
}

// TestOldLibraryIsEnough: Debian 12 has glibc 2.36, and nothing but the C library is needed.
func TestOldLibraryIsEnough(t *testing.T) {
	for architecture, loader := range map[string]string{"amd64": "", "arm64": "ld-linux-aarch64.so.1"} {
		file, err := elf.Open(staged(architecture) + "/bin/p11bridge")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		libraries, err := file.ImportedLibraries()
		libraries = slices.DeleteFunc(libraries, func(name string) bool { return name == loader }) // a part of the C library
		if err != nil || !slices.Equal(libraries, []string{"libc.so.6"}) {
			t.Errorf("%s: it needs %q, %v", architecture, libraries, err)
		}
		symbols, err := file.ImportedSymbols()
		if err != nil || len(symbols) < 20 {
			t.Fatalf("%s: %d symbols, %v", architecture, len(symbols), err)
		}
		versions := map[string][]string{}
		for _, symbol := range symbols {
			versions[symbol.Version] = append(versions[symbol.Version], symbol.Name)
			var major, minor int
			if n, _ := fmt.Sscanf(symbol.Version, "GLIBC_%d.%d", &major, &minor); symbol.Version != "" && (n != 2 || major != 2 || minor > 36) {
				t.Errorf("%s: %s is of %s, which Debian 12 lacks", architecture, symbol.Name, symbol.Version)
			}
		}
		t.Logf("%s: wanted: %v", architecture, versions)
	}
}

// TestWindowsNeedsNothingElse: the program for Windows asks for libraries that every Windows has, and for none of mingw's.
func TestWindowsNeedsNothingElse(t *testing.T) {
	file, err := pe.Open(binaries(t)["windows-amd64"])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if file.Machine != pe.IMAGE_FILE_MACHINE_AMD64 {
		t.Errorf("it is for machine %#x", file.Machine)
	}
	symbols, err := file.ImportedSymbols()
	if err != nil || len(symbols) < 20 {
		t.Fatalf("%d symbols, %v", len(symbols), err)
	}
	for _, symbol := range symbols {
		_, library, _ := strings.Cut(symbol, ":")
		if !slices.Contains([]string{"kernel32.dll", "msvcrt.dll"}, strings.ToLower(library)) {
			t.Errorf("it wants %s", symbol)
		}
	}
}

// TestWindowsArchive: what a person finds in it, all in one folder, with one time, and with the sums that stand beside the files.
func TestWindowsArchive(t *testing.T) {
	name := one(t, "*.zip")
	archive, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	folder, times := strings.TrimSuffix(filepath.Base(name), ".zip"), map[string]bool{}
	files := map[string]string{}
	for _, file := range archive.File {
		if path.Dir(file.Name) != folder || len(file.Extra) > 0 {
			t.Errorf("%s, with %d bytes of extra fields", file.Name, len(file.Extra))
		}
		times[file.Modified.UTC().String()] = true
		opened, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(opened)
		if err != nil {
			t.Fatal(err)
		}
		files[path.Base(file.Name)] = string(text)
	}
	if len(times) != 1 {
		t.Errorf("the times %v", times)
	}
	for _, needed := range []string{"p11bridge.exe", "p11bridge.ps1", "LICENSE.txt", "THIRD_PARTY.txt", "README.md", "README.es.md", "README.ca.md", "README.fr.md", "windows.md", "sbom.cdx.json"} {
		if files[needed] == "" {
			t.Errorf("it lacks %s", needed)
		}
	}
	sums := map[string]bool{}
	for line := range strings.Lines(files["SHA256SUMS"]) {
		sum, file, _ := strings.Cut(strings.TrimSpace(line), " *")
		digest := sha256.Sum256([]byte(files[file]))
		if hex.EncodeToString(digest[:]) != sum {
			t.Errorf("%s has another SHA-256", file)
		}
		sums[file] = true
	}
	if len(sums) != len(files)-1 {
		t.Errorf("%d sums for %d files", len(sums), len(files))
	}
}
