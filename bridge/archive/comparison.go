package archive

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
)

// comparison is an archive indexed for one comparison with many identities.
type comparison struct {
	*Archive
	ofKey      map[string][]dated // by the SHA-256 of the public key, the newest certificate first
	ofName     map[name][]dated   // likewise, by the certificate's subject and the CKA_ID
	unreadable map[string]UnreadableRecord
}

// dated is a backup with the beginning of its certificate's validity.
type dated struct {
	*Backup
	begins time.Time
}

// name is what a certificate and the one that it renews have in common where the key was renewed, too.
type name struct{ subject, id string }

func (a *Archive) comparison() *comparison {
	c := &comparison{Archive: a, ofKey: map[string][]dated{}, ofName: map[name][]dated{}, unreadable: map[string]UnreadableRecord{}}
	for i := range a.Backups {
		b := dated{Backup: &a.Backups[i]}
		var err error
		if b.begins, err = time.Parse(time.RFC3339, b.Record.Certificate.NotBefore); err != nil {
			continue
		}
		of := name{string(b.Record.Certificate.Subject), b.Record.ID}
		c.ofKey[b.Record.PublicKeySHA256] = append(c.ofKey[b.Record.PublicKeySHA256], b)
		c.ofName[of] = append(c.ofName[of], b)
	}
	for _, group := range c.ofKey {
		slices.SortStableFunc(group, newestFirst)
	}
	for _, group := range c.ofName {
		slices.SortStableFunc(group, newestFirst)
	}
	for _, record := range slices.Backward(a.Unreadable) { // the first of those with one fingerprint counts
		c.unreadable[record.fingerprint] = record
	}
	return c
}

func newestFirst(x, y dated) int { return y.begins.Compare(x.begins) }

// renewed finds the newest backup of what the certificate renews: an older certificate of the same key or, where the key
// was renewed with it, of the same subject and CKA_ID. Of two that are as new it is the one whose record's name comes first.
func (c *comparison) renewed(identity token.Identity, certificate *pki.Certificate) *Backup {
	if certificate == nil {
		return nil
	}
	groups := [][]dated{c.ofKey[Digest(certificate.PublicKey.SPKI)]}
	for _, o := range identity.Objects() {
		if id := o.ID(); len(id) > 0 {
			groups = append(groups, c.ofName[name{string(certificate.Subject), verdict.HexText(id)}])
		}
	}
	var found []dated
	for _, group := range groups {
		if b, is := notNewer(group, certificate); is {
			found = append(found, b)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return slices.MinFunc(found, func(x, y dated) int {
		return cmp.Or(newestFirst(x, y), strings.Compare(x.RecordPath, y.RecordPath))
	}).Backup
}

// notNewer is the first backup of a group whose certificate is another one and did not begin later.
func notNewer(group []dated, certificate *pki.Certificate) (dated, bool) {
	at, _ := slices.BinarySearchFunc(group, certificate.NotBefore, func(b dated, begins time.Time) int { return begins.Compare(b.begins) })
	for _, b := range group[at:] {
		if b.Record.Certificate.SHA256 != certificate.SHA256() {
			return b, true
		}
	}
	return dated{}, false
}

// lacksRecord finds a file that is named as the certificate's backup and has no record that can be read.
func (c *comparison) lacksRecord(certificateSHA256 string) (path, problem string, is bool) {
	fingerprint := shortFingerprint(certificateSHA256)
	if record, there := c.unreadable[fingerprint]; there {
		return record.Path, record.Err.Error(), true
	}
	if names := c.loose[fingerprint]; len(names) > 0 {
		return filepath.Join(c.Directory, names[0]+RecordExtension), "missing", true
	}
	return "", "", false
}
