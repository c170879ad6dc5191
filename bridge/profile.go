// Package bridge carries keys and certificates over from tokens to PFX files and back: Export, ExportAll, Verify, Restore,
// Request, Install. It checks every request where it acts, writes no file that it has not proven, and speaks no language:
// its results are values, its errors are typed.
package bridge

import (
	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
)

// Profile names how a PFX file is protected.
type Profile = pfx.Profile

// The profiles that a file can be written with, and the bounds of their iteration counts.
const (
	ProfileModern = pfx.Modern
	ProfilePBMAC1 = pfx.PBMAC1
	ProfileLegacy = pfx.Legacy

	MaxIterations = pfx.MaxIterations
)

// Profiles lists the profiles that a file can be written with.
func Profiles() []Profile { return []Profile{ProfileModern, ProfilePBMAC1, ProfileLegacy} }

// Methods lists the ways in which a key can leave its token.
func Methods() []verdict.Method {
	return []verdict.Method{verdict.MethodShroud, verdict.MethodWrap, verdict.MethodAttributes}
}
