package view

import (
	"fmt"

	"p11bridge/bridge/archive"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

type Named struct {
	URI   string       `json:"uri"`
	Label foreign.Text `json:"label"`
}

type Refused struct {
	Named
	Verdict Verdict `json:"verdict"`
}

// Backup is a backup as its record tells it.
type Backup struct {
	File              string        `json:"file"`
	SHA256            string        `json:"sha256"`
	Record            string        `json:"record"`
	Created           string        `json:"created"`
	CertificateSHA256 string        `json:"certificate_sha256"`
	Proof             archive.Proof `json:"proof"`
	LastDrill         *string       `json:"last_drill"` // null for never
}

func BackupOf(b *archive.Backup) Backup {
	shown := Backup{File: b.Path(), SHA256: b.Record.SHA256, Record: b.RecordPath, Created: b.Record.Created, CertificateSHA256: b.Record.Certificate.SHA256, Proof: b.Record.Proof}
	if b.Record.LastDrill != "" {
		shown.LastDrill = &b.Record.LastDrill
	}
	return shown
}

// ShardOf is how documents show a share, null for the whole.
func ShardOf(shard archive.Shard) *string {
	if shard.Whole() {
		return nil
	}
	text := shard.String()
	return &text
}

// PrintShard says below a summary that it is one of a share.
func PrintShard(p *frame.Printer, shard *string) {
	if shard != nil {
		fmt.Fprintln(p.Out, p.Text("shard.only", messages.Args{"Shard": messages.Own(*shard)}))
	}
}

// Names gives identities URIs that tell them apart, as list does.
type Names map[*token.Inventory]func(token.Identity) string

func (n Names) Name(inventory *token.Inventory, identity token.Identity) Named {
	if n[inventory] == nil {
		n[inventory] = uriOf(inventory, inventory.Identities())
	}
	uri := n[inventory](identity)
	return Named{uri, identity.Label()}
}
