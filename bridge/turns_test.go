package bridge

import (
	"sync/atomic"
	"testing"
	"time"
)

// TestErasingIsShared has the files of a few workers made as fast as that goes: nobody has a turn while it is erased, every file waits for
// an erasing that begins after its own work, and there are far fewer of them than files.
func TestErasingIsShared(t *testing.T) {
	const files, workers, most = 500, 3, 50
	turns := newTurns(make([]int, workers))
	turns.most = most
	var at, erasings atomic.Int64
	turns.overwrite = func() {
		if n := at.Load(); n > 0 {
			t.Errorf("%d work while it is erased", n)
		}
		erasings.Add(1)
		time.Sleep(50 * time.Microsecond)
	}
	var named atomic.Int64
	for range files {
		turns.start(func(turn *turn[int]) {
			if n := at.Add(1); n > workers {
				t.Errorf("%d work at once", n)
			}
			earlier := erasings.Load()
			time.Sleep(50 * time.Microsecond) // the work, with which others may overlap
			at.Add(-1)
			turn.wait()
			if erasings.Load() <= earlier {
				t.Error("a file goes on before it was erased")
			}
			named.Add(1)
		})
	}
	turns.finish()
	if named.Load() != files || turns.left || len(turns.waiting) > 0 {
		t.Errorf("%d of %d files have their names; %d wait", named.Load(), files, len(turns.waiting))
	}
	if n := erasings.Load(); n > files/most+10 { // what a loaded machine takes too long for is erased in between
		t.Errorf("%d erasings for %d files", n, files)
	}
}

// TestErasingTakesItsShare adds up, for tokens of all sizes, what the rule takes: of the time in which a file is made, a twentieth at most,
// however long it takes to look at everything in memory.
func TestErasingTakesItsShare(t *testing.T) {
	const most = 1 << 20
	for _, one := range []time.Duration{time.Millisecond, 300 * time.Millisecond} {
		for _, erasing := range []time.Duration{time.Millisecond, 30 * time.Millisecond, 300 * time.Millisecond} {
			var since, total, erased time.Duration
			waiting := 0
			for range 100_000 {
				since, total, waiting = since+one, total+one, waiting+1
				if erasingDue(since, erasing, waiting, most) {
					since, waiting, erased = 0, 0, erased+erasing
				}
			}
			if erased > total/erasingShare || erased == 0 {
				t.Errorf("%s for a file, %s to erase: %s of %s", one, erasing, erased, total)
			}
		}
	}
}
