package host

import (
	"bufio"
	"os"
	"path/filepath"
)

// Where p11-kit keeps its module configuration, the later overriding the earlier (pkcs11.conf(5)).
var moduleConfigurations = []string{"/usr/share/p11-kit/modules", "/etc/pkcs11/modules", "~/.config/pkcs11/modules"}

// moduleManifests are none: Linux has no registry, and p11-kit's configuration in its place.
func moduleManifests() []string { return nil }

// softoknPlaces are where NSS's library is.
var softoknPlaces = []string{"libsoftokn3.so", "nss/libsoftokn3.so"}

// The beginnings of libraries' names.
const (
	softHSMLibrary = "libsofthsm"
	pcscLibrary    = "libpcsclite.so"
	librarySuffix  = ".so"
)

// softHSMConfigurationFile is the system's own configuration of SoftHSM, and softHSMDirectory where it keeps tokens where the
// configuration names no place.
const (
	softHSMConfigurationFile = "/etc/softhsm/softhsm2.conf"
	softHSMDirectory         = "/var/lib/softhsm/tokens"
)

// ownSoftHSMConfiguration is the person's own; empty where nobody is known.
func ownSoftHSMConfiguration() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".config/softhsm2/softhsm2.conf")
}

// libraryRoots are the directories under which Linux distributions keep libraries.
var libraryRoots = []string{
	"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib64", "/usr/local/lib",
}

// narrowRoots are none: what distributions build for another processor has a directory of its own, and nobody has it alone.
var narrowRoots []string

// usualPlaces are the modules of distributions first, then those of vendors, each with where its place was read: in a package's list of
// files where there is one, else in what others write who load it. A vendor's own word is not to be had for all of them.
var usualPlaces = []place{
	{"softhsm/libsofthsm2.so", "Debian 12, libsofthsm2: the package's files", false},
	{"pkcs11/libsofthsm2.so", "Fedora and RHEL, softhsm: FreeIPA's tests and IBM's signing tool load it from there", false},
	{"opensc-pkcs11.so", "Debian 12, opensc-pkcs11: the package's files", true},
	{"pkcs11/opensc-pkcs11.so", "Debian 12, opensc-pkcs11, and Fedora, opensc: links in the packages", true},
	{"libykcs11.so", "Debian 12, ykcs11: the package's files; yubico-piv-tool from source", true},
	{"libykcs11.so.2", "Debian 12, ykcs11: the package's files", true},
	{"pkcs11/yubihsm_pkcs11.so", "Yubico, yubihsm-shell: files of its package for Fedora, as Arch's yubihsm-shell repacks it", false},
	{"libtpm2_pkcs11.so.1", "Debian 12, libtpm2-pkcs11-1: the package's files", false},
	{"pkcs11/libtpm2_pkcs11.so", "Debian 12, libtpm2-pkcs11-1: the package's files; Fedora, tpm2-pkcs11", false},
	{"opencryptoki/libopencryptoki.so.0", "Debian 12, libopencryptoki0: the package's files", false},
	{"pkcs11/libopencryptoki.so", "Debian 12, opencryptoki: the package's files; Fedora", false},
	{"opencryptoki/libopencryptoki.so", "openCryptoki from source: usr/lib/api/api.mk; openSUSE's spec", false},
	{"libsc-hsm-pkcs11.so", "CardContact, sc-hsm-embedded: make install, and the path in its extension for Firefox", true},
	{"libpkcs11-dnie.so", "Policía Nacional (Spain), libpkcs11-dnie 1.6.8: its .deb in /usr/lib, its .rpm in /usr/lib64", true},
	{"libpkcs11-fnmtdnie.so", "FNMT (Spain), libpkcs11-fnmtdnie: the files of its package, as Gentoo's ebuild takes them; Autofirma's tests", true},
	{"libIDPrimePKCS11.so", "Thales, SafeNet Authentication Client: Arch's package of it; MonetPlus and Czech signing programs", true},
	{"pkcs11/libIDPrimePKCS11.so", "the same: the link in its .deb, as Arch's package says", true},
	{"libeToken.so", "Thales, SafeNet Authentication Client: the files of its package, as Arch's etoken repacks them", true},
	{"libeTPkcs11.so", "SafeNet Authentication Client before version 9, and its legacy link: signing programs' documents", true},
	{"libbit4xpki.so", "Bit4id, universal middleware: signing programs load it from /usr/lib", true},
	{"bit4id/libbit4xpki.so", "Bit4id, bit4id-xpki: Arch's package says that it provides this file", true},
	{"libbit4ipki.so", "Bit4id, for Incard cards: signing programs load it from /usr/lib", true},
	{"bit4id/libbit4opki.so", "Bit4id, libbit4xpki-idemia, for the Italian health card: guides of its users", true},
	{"libASEP11.so", "Athena, IDProtect client: signing programs load it from /usr/lib and /lib64", true},
	{"/usr/lib/x64-athena/libASEP11.so", "Athena, IDProtect client for 64 bits: signing programs of Costa Rica and Argentina", true},
	{"libaetpkss.so.3", "AET, SafeSign Identity Client: the files of its .deb for Ubuntu; Arch's packages", true},
	{"libaetpkss.so", "the same, by the name without a version: signing programs' documents", true},
	{"/opt/cloudhsm/lib/libcloudhsm_pkcs11.so", "Amazon, CloudHSM client 5: documents of programs that use it", false},
	{"/opt/nfast/toolkits/pkcs11/libcknfast.so", "Entrust, nShield Security World: documents of programs that use it", false},
	{"/usr/safenet/lunaclient/lib/libCryptoki2_64.so", "Thales, Luna client: IBM's and HashiCorp's documents on it", false},
	{"/opt/utimaco/p11/libcs_pkcs11_R3.so", "Utimaco: it has no installer; where images of EJBCA and SignServer put it", false},
	{"/opt/utimaco/lib/libcs_pkcs11_R3.so", "the same: where documents of programs that use it put it", false},
}

// pcscAlone are modules that reach their readers through PC/SC and are named by p11-kit only.
var pcscAlone = []string{"onepin-opensc-pkcs11"}

// profileHome is the folder that profilePlaces are below.
func profileHome() (string, error) { return os.UserHomeDir() }

// loadedLibraries names the files that are mapped into this process. Where the system does not tell, it gives none.
func loadedLibraries() (names []string) {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil
	}
	defer maps.Close()
	scanner := bufio.NewScanner(maps)
	for scanner.Scan() {
		names = append(names, filepath.Base(scanner.Text()))
	}
	return names
}
