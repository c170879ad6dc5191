package dist

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const repository = "../.."

// made are the packages, made once for all tests by scripts/packages from the sources as they are.
var made string

func TestMain(m *testing.M) {
	directory, err := filepath.Abs(repository + "/build/dist")
	if err == nil {
		err = makePackages(repository, directory)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	made = directory
	os.Exit(m.Run())
}

func makePackages(sources, directory string, environment ...string) error {
	script := exec.Command("scripts/packages", directory)
	script.Dir, script.Env = sources, append(os.Environ(), environment...)
	if output, err := script.CombinedOutput(); err != nil {
		return fmt.Errorf("scripts/packages: %w\n%s", err, output)
	}
	return nil
}

// one gives the path of the one package of a kind.
func one(t *testing.T, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(made, pattern))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%s: %q, %v", pattern, paths, err)
	}
	return paths[0]
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	var problems bytes.Buffer
	command := exec.Command(name, args...)
	command.Stderr = &problems
	text, err := command.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, problems.String())
	}
	return string(text)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// binary is the program as it is packaged.
func binary(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(repository + "/build/stage/bin/p11bridge")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// everyPackageHas is what the packages hold, below /usr.
func everyPackageHas(t *testing.T) []string {
	t.Helper()
	files := []string{
		"bin/p11bridge", "share/bash-completion/completions/p11bridge", "share/fish/vendor_completions.d/p11bridge.fish",
		"lib/systemd/system/p11bridge-status.service", "lib/systemd/system/p11bridge-status.timer", "lib/systemd/system/p11bridge-backup.service",
		"lib/systemd/system/p11bridge-backup.path", "lib/systemd/system/p11bridge-drill.service", "lib/systemd/system/p11bridge-drill.timer", "lib/sysusers.d/p11bridge.conf", "share/p11bridge/p11bridge.rules.yml",
	}
	for _, name := range []string{"copyright", "THIRD_PARTY", "changelog.gz", "sbom.cdx.json", "README.md", "watching.md", "fleet.md", "runbook.md"} {
		files = append(files, "share/doc/p11bridge/"+name)
	}
	commands := regexp.MustCompile(`(?m)^  ([a-z]+) `).FindAllStringSubmatch(section(output(t, binary(t), "--help"), "Commands:"), -1)
	if len(commands) < 15 {
		t.Fatalf("only %d commands", len(commands))
	}
	for _, language := range []string{"", "es/", "ca/", "fr/"} {
		files = append(files, "share/man/"+language+"man1/p11bridge.1.gz")
		for _, command := range commands {
			files = append(files, "share/man/"+language+"man1/p11bridge-"+command[1]+".1.gz")
		}
	}
	return files
}

// section is what stands under a heading, up to the next empty line.
func section(text, heading string) string {
	_, after, _ := strings.Cut(text, heading+"\n")
	part, _, _ := strings.Cut(after, "\n\n")
	return part
}

func TestContents(t *testing.T) {
	wanted := everyPackageHas(t)
	deb := strings.Fields(output(t, "sh", "-c", "dpkg-deb --fsys-tarfile "+one(t, "*.deb")+" | tar -t"))
	rpm := strings.Fields(output(t, "rpm", "--query", "--package", "--list", one(t, "*.rpm")))
	archive := strings.Fields(output(t, "tar", "-tf", one(t, "*.tar.gz")))
	top, _, _ := strings.Cut(archive[0], "/")
	for _, file := range wanted {
		if !slices.Contains(deb, "./usr/"+file) {
			t.Errorf("the .deb lacks /usr/%s", file)
		}
		if !slices.Contains(rpm, "/usr/"+file) {
			t.Errorf("the .rpm lacks /usr/%s", file)
		}
		if !slices.Contains(archive, top+"/"+file) {
			t.Errorf("the archive lacks %s", file)
		}
	}
	if !slices.Contains(deb, "./usr/share/zsh/vendor-completions/_p11bridge") || !slices.Contains(rpm, "/usr/share/zsh/site-functions/_p11bridge") {
		t.Error("zsh's completion is not where zsh looks")
	}
	for _, directory := range []string{"/usr", "/usr/bin", "/usr/lib/systemd/system"} {
		if slices.Contains(rpm, directory) {
			t.Errorf("the .rpm owns %s, which is the system's", directory)
		}
	}
	for package_, need := range map[string]string{output(t, "dpkg-deb", "--field", one(t, "*.deb")): "Recommends: softhsm2\n", output(t, "rpm", "-qp", "--recommends", one(t, "*.rpm")): "softhsm\n"} {
		if !strings.Contains(package_, need) {
			t.Errorf("%s lacks %s", package_, need)
		}
	}
}

func TestChecksums(t *testing.T) {
	sums := strings.Split(strings.TrimSpace(read(t, made+"/SHA256SUMS")), "\n")
	if len(sums) != 4 {
		t.Fatalf("SHA256SUMS: %q", sums)
	}
	for _, line := range sums {
		sum, name, _ := strings.Cut(line, "  ")
		digest := sha256.Sum256([]byte(read(t, filepath.Join(made, name))))
		if hex.EncodeToString(digest[:]) != sum {
			t.Errorf("%s has another SHA-256", name)
		}
	}
}

// TestOneVersion: the number in cmd/frame names the packages, and the changelog knows it.
func TestOneVersion(t *testing.T) {
	var document struct {
		Version, Commit, Go string
		Libraries           []struct{ Module, Version string }
	}
	if err := json.Unmarshal([]byte(output(t, binary(t), "version", "--json")), &document); err != nil {
		t.Fatal(err)
	}
	if document.Commit == "unknown" || len(document.Libraries) < 20 {
		t.Errorf("version tells %+v", document)
	}
	one(t, "p11bridge_"+document.Version+"-1_*.deb")
	one(t, "p11bridge-"+document.Version+"-1.*.rpm")
	one(t, "p11bridge-"+document.Version+"-linux-*.tar.gz")
	changelog := read(t, repository+"/CHANGELOG.md")
	if !regexp.MustCompile(`(?m)^## (Unreleased: )?` + regexp.QuoteMeta(document.Version) + `\b`).MatchString(changelog) {
		t.Errorf("CHANGELOG.md has no heading for %s", document.Version)
	}
	if page := gunzip(t, repository+"/build/stage/share/man/man1/p11bridge.1.gz"); !strings.Contains(page, "p11bridge "+document.Version) {
		t.Error("the man page tells another version")
	}
}

func gunzip(t *testing.T, path string) string {
	t.Helper()
	reader, err := gzip.NewReader(strings.NewReader(read(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSBOMNamesEveryModule: what the binary says was linked in is in the SBOM, with its version, and in THIRD_PARTY.
func TestSBOMNamesEveryModule(t *testing.T) {
	var sbom struct {
		BOMFormat  string
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal([]byte(read(t, one(t, "*.cdx.json"))), &sbom); err != nil || sbom.BOMFormat != "CycloneDX" {
		t.Fatalf("%q: %v", sbom.BOMFormat, err)
	}
	listed := map[string]bool{}
	for _, component := range sbom.Components {
		listed[component.Name+" "+component.Version] = true
	}
	modules := regexp.MustCompile(`(?m)^\tdep\t(\S+)\t(\S+)`).FindAllStringSubmatch(output(t, "go", "version", "-m", binary(t)), -1)
	if len(modules) < 20 {
		t.Fatalf("only %d modules", len(modules))
	}
	licences := read(t, repository+"/build/stage/share/doc/p11bridge/THIRD_PARTY")
	for _, module := range modules {
		name := module[1] + " " + module[2]
		if !listed[name] {
			t.Errorf("the SBOM lacks %s", name)
		}
		if !strings.Contains(licences, "\n"+name+"\n") {
			t.Errorf("THIRD_PARTY lacks %s", name)
		}
	}
}

// TestOldLibraryIsEnough: Debian 12 has glibc 2.36, and nothing but the C library is needed.
func TestOldLibraryIsEnough(t *testing.T) {
	file, err := elf.Open(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	libraries, err := file.ImportedLibraries()
	if err != nil || !slices.Equal(libraries, []string{"libc.so.6"}) {
		t.Errorf("it needs %q, %v", libraries, err)
	}
	symbols, err := file.ImportedSymbols()
	if err != nil || len(symbols) < 20 {
		t.Fatalf("%d symbols, %v", len(symbols), err)
	}
	versions := map[string][]string{}
	for _, symbol := range symbols {
		versions[symbol.Version] = append(versions[symbol.Version], symbol.Name)
		var major, minor int
		if n, _ := fmt.Sscanf(symbol.Version, "GLIBC_%d.%d", &major, &minor); symbol.Version != "" && (n != 2 || major != 2 || minor > 36) {
			t.Errorf("%s is of %s, which Debian 12 lacks", symbol.Name, symbol.Version)
		}
	}
	t.Logf("wanted: %v", versions)
}

// TestManPagesAreWellFormed: groff has nothing to say about any of them.
func TestManPagesAreWellFormed(t *testing.T) {
	pages, err := filepath.Glob(repository + "/build/stage/share/man/man1/*.gz")
	if err != nil || len(pages) < 16 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	more, err := filepath.Glob(repository + "/build/stage/share/man/*/man1/*.gz")
	if err != nil || len(more) != 3*len(pages) {
		t.Fatalf("%d pages in other languages, %v", len(more), err)
	}
	for _, path := range append(pages, more...) {
		groff := exec.Command("groff", "-man", "-Kutf8", "-Tutf8", "-ww", "-z")
		groff.Stdin = strings.NewReader(gunzip(t, path))
		if said, err := groff.CombinedOutput(); err != nil || len(said) > 0 {
			t.Errorf("%s: %v %s", path, err, said)
		}
	}
}

// TestTwoBuildsAreTheSameLong makes the packages again in another folder, without git and without what the compiler remembers.
func TestTwoBuildsAreTheSameLong(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "another folder")
	if err := os.MkdirAll(elsewhere, 0o755); err != nil {
		t.Fatal(err)
	}
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = repository
	names, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	copied := exec.Command("tar", "--create", "--null", "--files-from=-", "--ignore-failed-read", "--file="+elsewhere+"/../sources.tar")
	copied.Dir, copied.Stdin = repository, bytes.NewReader(names)
	if said, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	output(t, "tar", "--extract", "--directory="+elsewhere, "--file="+elsewhere+"/../sources.tar")
	var document struct{ Commit string }
	if err := json.Unmarshal([]byte(output(t, binary(t), "version", "--json")), &document); err != nil {
		t.Fatal(err)
	}
	epoch := exec.Command("git", "log", "-1", "--format=%ct")
	epoch.Dir = repository
	seconds, err := epoch.Output()
	if err != nil {
		t.Fatal(err)
	}
	err = makePackages(elsewhere, elsewhere+"/out", "GOCACHE="+t.TempDir(), "TOOLS_CACHE="+strings.TrimSpace(output(t, "go", "env", "GOCACHE")), "COMMIT="+document.Commit, "SOURCE_DATE_EPOCH="+strings.TrimSpace(string(seconds)), "TZ=Asia/Tokyo", "LC_ALL=C")
	if err != nil {
		t.Fatal(err)
	}
	first, second := read(t, made+"/SHA256SUMS"), read(t, elsewhere+"/out/SHA256SUMS")
	if first != second {
		t.Errorf("here:\n%selsewhere:\n%s", first, second)
	}
}

// TestArchiveIsNobodys: no name of a user or a machine, no time but the commit's.
func TestArchiveIsNobodys(t *testing.T) {
	unpacked := gunzip(t, one(t, "*.tar.gz"))
	times := map[int64]bool{}
	for reader := tar.NewReader(strings.NewReader(unpacked)); ; {
		header, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		times[header.ModTime.Unix()] = true
		if header.Uid != 0 || header.Uname != "" && header.Uname != "root" {
			t.Errorf("%s belongs to %d %q", header.Name, header.Uid, header.Uname)
		}
	}
	if len(times) != 1 {
		t.Errorf("%d times", len(times))
	}
	here, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(read(t, binary(t)), here) {
		t.Errorf("the binary names %s", here)
	}
}
