package status

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
)

// The metrics' names are a contract with whoever watches: docs/watching.md lists them, and the alert rules use them.
const (
	metricPrefix      = "p11bridge_"
	lastSuccessMetric = metricPrefix + "status_last_success_timestamp_seconds"
)

// mostMetrics is the largest file of metrics that is read, in bytes.
const mostMetrics = 64 << 20

// gauges are families of metrics on their way into a file, in the text format of Prometheus (docs/watching.md).
type gauges struct {
	text   strings.Builder
	name   string // of the family that was begun last
	header string // of that family, until it has a value: one without is left out
}

// labels are names and values in turn. They say which key is meant, and come from what a token tells to everybody who may see the key.
type labels []string

// labelEscapes are what cannot stand in a label's value as it is.
var labelEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// family begins the metrics of a name. The help is one line without backslashes.
func (g *gauges) family(name, help string) {
	g.name = metricPrefix + name
	g.header = fmt.Sprintf("# HELP %s %s\n# TYPE %s gauge\n", g.name, help, g.name)
}

// set adds a value to the family that was begun last.
func (g *gauges) set(value float64, names labels) {
	g.text.WriteString(g.header + g.name)
	g.header = ""
	separator := "{"
	for i := 0; i < len(names); i += 2 {
		g.text.WriteString(separator + names[i] + `="` + labelEscapes.Replace(names[i+1]) + `"`)
		separator = ","
	}
	if len(names) > 0 {
		g.text.WriteString("}")
	}
	g.text.WriteString(" " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
}

func (g *gauges) only(name, help string, value float64) {
	g.family(name, help)
	g.set(value, nil)
}

// checkMetrics refuses a file that could not be written, before any token is asked.
func (o *statusOptions) checkMetrics() error {
	if o.metrics == "" {
		return nil
	}
	if filepath.Ext(o.metrics) != ".prom" { // node_exporter reads no other file
		return frame.Usage("error.metrics-name", nil)
	}
	return archive.Target{Path: o.metrics, Force: true}.Check()
}

// writeMetrics replaces the file whole or not at all. Where a run could not find out, the time of the last one that could stays.
func writeMetrics(path string, status *archive.BackupStatus, now time.Time, success bool) error {
	g := &gauges{}
	g.family("build_info", "The version of p11bridge that wrote this.")
	g.set(1, labels{"version", frame.Version})
	g.only("status_last_run_timestamp_seconds", "When the keys were last looked at.", seconds(now))
	last := seconds(now)
	if !success {
		last = lastSuccess(path)
	}
	if last > 0 {
		g.only("status_last_success_timestamp_seconds", "When every key could last be seen.", last)
	}
	g.ofKeys(status)
	g.counts(status)
	return archive.WriteFile(archive.Target{Path: path, Force: true, Public: true}, []byte(g.text.String()))
}

func seconds(t time.Time) float64 { return float64(t.Unix()) }

// ofKeys writes what is known of every key.
func (g *gauges) ofKeys(status *archive.BackupStatus) {
	names := nameKeys(status)
	g.family("key_backup_state", "1 for the state of the key's backup: up-to-date, never-made, outdated, file-missing, file-changed, password-missing, record-unreadable, unproven, key-not-shown, key-gone, cannot-leave, unknown.")
	for i, key := range status.Keys {
		g.set(1, append(labels{"state", string(key.State)}, names[i]...))
	}
	g.family("key_certificate_not_after_timestamp_seconds", "When the key's certificate expires.")
	for i, key := range status.Keys {
		if c := key.Identity.Certificate; c != nil && c.Parsed != nil && key.State != archive.StateKeyGone {
			g.set(seconds(c.Parsed.NotAfter), names[i])
		}
	}
	g.family("key_backup_created_timestamp_seconds", "When the key's backup was made.")
	for i, key := range status.Keys {
		if key.Backup != nil {
			g.at(key.Backup.Record.Created, names[i])
		}
	}
	g.family("key_backup_last_drill_timestamp_seconds", "When the key's backup was last restored to a throw-away token, which signed with it.")
	for i, key := range status.Keys {
		if key.Backup != nil && key.Backup.Proven() {
			g.at(key.Backup.Record.LastDrill, names[i])
		}
	}
	g.family("key_backup_proven_timestamp_seconds", "When it was last proven that the backup holds the key.")
	for i, key := range status.Keys {
		if key.Backup != nil && key.Backup.Proven() {
			g.at(key.Backup.Record.Created, names[i])
		}
	}
}

// at sets a time of a record, where the record has one.
func (g *gauges) at(text string, names labels) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		g.set(seconds(t), names)
	}
}

// nameKeys gives every key labels that no other one has: where two keys tell the same of themselves, the second is number 2.
func nameKeys(status *archive.BackupStatus) []labels {
	var names []labels
	seen := map[string]int{}
	for _, key := range status.Keys {
		t, certificate, id := key.Inventory.Token, "", ""
		if c := key.Identity.Certificate; c != nil && c.Parsed != nil {
			certificate = c.Parsed.SHA256()
		}
		for _, object := range key.Identity.Objects() {
			if id == "" {
				id = verdict.HexText(object.ID())
			}
		}
		name := labels{"token", t.Label.String(), "serial", t.Serial.String(), "label", key.Identity.Label().String(), "id", id, "certificate", certificate}
		known := fmt.Sprintf("%q", name)
		seen[known]++
		if n := seen[known]; n > 1 {
			name = append(name, "number", strconv.Itoa(n))
		}
		names = append(names, name)
	}
	return names
}

func (g *gauges) counts(status *archive.BackupStatus) {
	counts := map[archive.BackupState]int{}
	for _, key := range status.Keys {
		counts[key.State]++
	}
	g.family("keys", "Keys by the state of their backup.")
	for _, state := range archive.BackupStates() {
		g.set(float64(counts[state]), labels{"state", string(state)})
	}
	spoiled := 0
	for _, backups := range [][]*archive.Backup{status.Earlier, status.Gone, status.Elsewhere} {
		for _, b := range backups {
			if b.File != archive.FileIntact || b.PasswordLost() {
				spoiled++
			}
		}
	}
	g.only("other_backups_spoiled", "Backups of other certificates and other tokens whose file is missing or changed.", float64(spoiled))
	g.only("records_unreadable", "Records of backups that are there and cannot be used.", float64(len(status.Unreadable)))
	g.only("tokens_hidden", "Tokens whose keys could not be seen, or not all of them.", float64(len(status.Hidden)))
}

// lastSuccess is what an earlier run left in the file, 0 where there is nothing to be read.
func lastSuccess(path string) float64 {
	text, err := archive.ReadRegular(path, mostMetrics)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, is := strings.CutPrefix(line, lastSuccessMetric+" "); is {
			seconds, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || math.IsNaN(seconds) || math.IsInf(seconds, 0) {
				return 0
			}
			return max(seconds, 0)
		}
	}
	return 0
}
