package host

import (
	"encoding/json"
	"io"
	"path/filepath"
	"strings"

	"p11bridge/token"
)

// RegisteredName is the Name of libraries that an installer registered with Firefox, in Windows' registry.
const RegisteredName = "windows-registry"

// maxManifest bounds, in bytes, what is read of a manifest.
const maxManifest = 64 << 10

// registeredModules lists the libraries that the manifests of moduleManifests name. A manifest that names none is passed over.
func registeredModules() []token.Library {
	var found []token.Library
	for _, manifest := range moduleManifests() {
		if path := manifestModule(manifest); path != "" {
			found = append(found, token.Library{Path: path, Name: RegisteredName, NamedBy: manifest})
		}
	}
	return found
}

// manifestModule is the path of the library that a manifest names (MDN, Native manifests: "PKCS #11 manifests"), empty where it names
// none. On Windows the path may be relative to the manifest.
func manifestModule(file string) string {
	opened, err := openRegular(file)
	if err != nil {
		return ""
	}
	defer opened.Close()
	var manifest struct{ Type, Path string }
	if json.NewDecoder(io.LimitReader(opened, maxManifest)).Decode(&manifest) != nil || manifest.Type != "pkcs11" {
		return ""
	}
	switch {
	case manifest.Path == "" || strings.ContainsRune(manifest.Path, 0):
		return ""
	case filepath.IsAbs(manifest.Path):
		return filepath.Clean(manifest.Path)
	}
	return filepath.Join(filepath.Dir(file), manifest.Path)
}
