package token

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Where p11-kit keeps its module configuration, the later overriding the earlier (pkcs11.conf(5)).
var moduleConfigurations = []string{"/usr/share/p11-kit/modules", "/etc/pkcs11/modules", "~/.config/pkcs11/modules"}

// libraryRoots are the directories under which Linux distributions keep libraries.
var libraryRoots = []string{
	"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib64", "/usr/local/lib",
}

// usualModules are the places of modules that come without p11-kit configuration: relative to a library root, or absolute
// as the vendor's installer puts them.
var usualModules = []string{
	"softhsm/libsofthsm2.so", "opensc-pkcs11.so", "pkcs11/opensc-pkcs11.so", "libykcs11.so", "pkcs11/yubihsm_pkcs11.so",
	"libtpm2_pkcs11.so.1", "pkcs11/libtpm2_pkcs11.so", "opencryptoki/libopencryptoki.so", "libsc-hsm-pkcs11.so",
	"libeTPkcs11.so", "libeToken.so", "libIDPrimePKCS11.so", "libbit4xpki.so", "libASEP11.so", "libaetpkss.so.3",
	"/opt/cloudhsm/lib/libcloudhsm_pkcs11.so", "/opt/nfast/toolkits/pkcs11/libcknfast.so",
	"/usr/safenet/lunaclient/lib/libCryptoki2_64.so", "/opt/utimaco/p11/libcs_pkcs11_R3.so",
}

// Discover lists the PKCS#11 libraries that p11-kit's configuration and the usual places name, each once, in that order.
// Modules that hold only trust anchors, and those that p11-kit reaches by a command, are left out. Nothing is loaded.
func Discover() []Library {
	var found []Library
	seen := map[string]bool{}
	add := func(library Library) {
		real, err := filepath.EvalSymlinks(library.Path)
		if err != nil {
			real = library.Path
		}
		if !seen[real] {
			seen[real] = true
			found = append(found, library)
		}
	}
	for _, library := range configuredModules() {
		add(library)
	}
	for _, place := range usualModules {
		for _, path := range inRoots(place) {
			if _, err := os.Stat(path); err == nil {
				add(Library{Path: path})
			}
		}
	}
	return found
}

func inRoots(place string) []string {
	if filepath.IsAbs(place) {
		return []string{place}
	}
	var paths []string
	for _, root := range libraryRoots {
		paths = append(paths, filepath.Join(root, place))
	}
	return paths
}

// configuredModules reads p11-kit's .module files. A file of the same name in a later directory replaces the earlier one.
func configuredModules() []Library {
	files := map[string]string{}
	for _, directory := range moduleConfigurations {
		if rest, ok := strings.CutPrefix(directory, "~"); ok {
			home, err := os.UserHomeDir()
			if err != nil {
				continue
			}
			directory = home + rest
		}
		matches, err := filepath.Glob(filepath.Join(directory, "*.module"))
		if err != nil {
			continue
		}
		for _, file := range matches {
			files[filepath.Base(file)] = file
		}
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	var libraries []Library
	for _, name := range names {
		settings, err := readModuleFile(files[name])
		if err != nil || settings["module"] == "" || settings["remote"] != "" || settings["trust-policy"] == "yes" {
			continue
		}
		libraries = append(libraries, Library{
			Path: modulePath(settings["module"]), InitString: settings["x-init-reserved"], Name: strings.TrimSuffix(name, ".module"),
		})
	}
	return libraries
}

// readModuleFile reads "key: value" lines; a line that begins with # is a comment.
func readModuleFile(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("module configuration: %w", err)
	}
	defer file.Close()
	settings := map[string]string{}
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		line := strings.TrimSpace(scanner.Text())
		if key, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, "#") {
			settings[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return settings, scanner.Err()
}

// modulePath resolves a module's name against p11-kit's module directory.
func modulePath(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	for _, path := range inRoots(filepath.Join("pkcs11", name)) {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return name
}
