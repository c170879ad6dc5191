package status

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"pgregory.net/rapid"
)

// families are metrics as Prometheus's own parser reads them.
func families(t *rapid.T, text string) map[string]*dto.MetricFamily {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	read, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return read
}

// TestMetricsAreReadAsTheyWereMeant writes labels and values of every kind, and has Prometheus's parser read them.
func TestMetricsAreReadAsTheyWereMeant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		label, value := rapid.String().Draw(t, "label"), rapid.Float64().Draw(t, "value")
		g := &gauges{}
		g.family("none", "It has no value.")
		g.family("one", "It has one.")
		g.set(value, labels{"label", label, "token", "a\\n\"b\n"})
		g.set(value, labels{"label", label + "another"})
		g.only("two", "It has no labels.", value)
		read := families(t, g.text.String())
		if len(read) != 2 {
			t.Fatalf("%d families", len(read))
		}
		one, two := read["p11bridge_one"].GetMetric()[0], read["p11bridge_two"].GetMetric()[0]
		if one.GetGauge().GetValue() != value || two.GetGauge().GetValue() != value || len(two.GetLabel()) != 0 || read["p11bridge_one"].GetHelp() != "It has one." {
			t.Fatalf("%v became %v", value, read)
		}
		if pairs := one.GetLabel(); len(pairs) != 2 || pairs[0].GetValue() != label || pairs[1].GetValue() != "a\\n\"b\n" {
			t.Fatalf("%q became %v", label, pairs)
		}
	})
}

// TestLastSuccessIsRead reads what an earlier run left, or a file of somebody else.
func TestLastSuccessIsRead(t *testing.T) {
	g := &gauges{}
	g.only("status_last_success_timestamp_seconds", "When every key could last be seen.", 1795779185)
	for text, want := range map[string]float64{
		g.text.String():                        1795779185,
		"":                                     0,
		lastSuccessMetric + " -1\n":            0,
		lastSuccessMetric + " NaN\n":           0,
		lastSuccessMetric + " +Inf\n":          0,
		lastSuccessMetric + " soon\n":          0,
		lastSuccessMetric + "_of_another 7\n":  0,
		"# HELP " + lastSuccessMetric + " 7\n": 0,
	} {
		path := filepath.Join(t.TempDir(), "p11bridge.prom")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := lastSuccess(path); got != want {
			t.Errorf("%q gives %v instead of %v", text, got, want)
		}
	}
}
