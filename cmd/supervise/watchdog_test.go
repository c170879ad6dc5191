package supervise

import (
	"testing"
	"time"
)

// TestWatchdogJudgesTheCall says how long a call has been under way and asks what comes of it. The page could not say it: its clock begins
// when the machine does, which may be less than an hour ago.
func TestWatchdogJudgesTheCall(t *testing.T) {
	const timeout = time.Minute
	for _, test := range []struct {
		name, function string
		since          time.Duration // how long the call has been under way
		gap            time.Duration // since the last look
		signalled      time.Duration // how long ago the signal came
		want           Cause         // empty: the child goes on
	}{
		{"no call", "", time.Hour, tick, 0, ""},
		{"a call within its time", "C_Sign", timeout - time.Second, tick, 0, ""},
		{"a call beyond its time", "C_Sign", timeout + time.Second, tick, 0, Hung},
		{"a key is generated", "C_GenerateKeyPair", 10*time.Minute - time.Second, tick, 0, ""},
		{"a key is generated for too long", "C_GenerateKeyPair", 10*time.Minute + time.Second, tick, 0, Hung},
		{"the program was stopped", "C_Sign", time.Hour, time.Hour, 0, ""},
		{"a signal a moment ago", "C_Sign", 2 * timeout, tick, time.Second, ""},
		{"a signal that the call outlasts", "C_Sign", time.Second, tick, graceAfterSignal + time.Second, Interrupted},
		{"a signal, and no call", "", 0, tick, graceAfterSignal + time.Second, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, now := newWatchdog(t, timeout)
			w.looked, w.resumed = now.Add(-test.gap), now.Add(-24*time.Hour)
			if test.signalled > 0 {
				w.signalled = now.Add(-test.signalled)
			}
			failure := w.judge(now, "module.so", test.function, test.since)
			switch {
			case test.want == "" && failure != nil:
				t.Errorf("it is ended: %v", failure)
			case test.want != "" && (failure == nil || failure.Cause != test.want || failure.Function != test.function || failure.Module != "module.so"):
				t.Errorf("%+v instead of %s", failure, test.want)
			}
		})
	}
}

// TestWatchdogEndsManySlowCalls has calls that each return in time.
func TestWatchdogEndsManySlowCalls(t *testing.T) {
	const timeout = time.Second
	w, now := newWatchdog(t, timeout)
	for looks := 1; ; looks++ {
		w.page.begin(0, "module.so", "C_FindObjects")
		now = now.Add(tick)
		failure := w.look(now)
		w.page.end(0)
		spent := time.Duration(looks) * tick
		if failure == nil && spent > callsOfOneCommand*timeout {
			t.Fatalf("it goes on after %s", spent)
		}
		if failure == nil {
			continue
		}
		if failure.Cause != TooSlow || spent <= callsOfOneCommand*timeout {
			t.Fatalf("%+v after %s", failure, spent)
		}
		return
	}
}

func newWatchdog(t *testing.T, timeout time.Duration) (*watchdog, time.Time) {
	t.Helper()
	page, file, err := newCallPage()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	now := time.Now()
	return &watchdog{page: page, timeout: timeout, looked: now, resumed: now}, now
}
