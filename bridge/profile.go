// Package bridge carries keys and certificates over from tokens to PFX files and back.
//
// Fill a request and call the operation: Export and ExportAll out of a token, Verify for a file, OpenCopies and Restore back onto a
// token, CreateCSR and Install for a renewal, DeleteRequest.Check and Deletion.Delete to destroy a key. An operation X takes an
// XRequest, may work out an XPlan before it does anything, and gives an XResult.
//
// A PFX is DER; a password is UTF-8; digests are SHA-256 in lower-case hexadecimal; times of records are RFC 3339 in UTC. Whatever a
// request leaves out is taken: crypto/rand, the profile ProfileModern, the time of the call, the verdict as it is judged here.
//
// Errors: ErrRequest is the caller's mistake. *RefusedError carries the verdict of a key that cannot leave; a verdict is no failure.
// *archive.FileError and *archive.SavedError are about the file, archive.ErrNotProven about the proof, *DeletionError about a key that
// was to be destroyed; what a token answered is a *token.Error.
//
// What is promised: a request is checked before a token is touched; no file gets its name before it was read back and proven;
// whatever fails leaves no file and no object; a key is destroyed only while its proven copy is there. It speaks no language: results
// are values, and their words belong to whoever shows them.
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
